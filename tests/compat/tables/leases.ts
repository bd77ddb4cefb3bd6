/** Leases: what may be granted, asked, renewed and revoked, and what becomes of keys. */
import { LeaseKeepAliveRequest, LeaseKeepAliveResponse } from '../../../src/core/proto/gen/rpc.ts'
import { comparableSeconds, inAnyOrder, readable } from '../exclusions.ts'
import { bytes, call, steps, type Step, type Subject } from './step.ts'

const maxInt64 = 9_223_372_036_854_775_807n
const keepAlivePath = '/etcdserverpb.Lease/LeaseKeepAlive'
const longTtl = 5_000n

/** Sends ids on one stream, half-closes and gives all answers. */
async function renew({ client }: Subject, ids: readonly bigint[]): Promise<unknown> {
  const stream = client.raw.open(keepAlivePath, client.headers)
  for (const ID of ids) stream.send(LeaseKeepAliveRequest.encode({ ID }).finish())
  stream.end()
  const { code, text, messages } = await stream.answer
  return {
    code,
    text,
    messages: messages.map((each) => readable(LeaseKeepAliveResponse.decode(each))),
  }
}

/** Remaining seconds depend on when it is asked, up to one of them. */
function withoutRemaining(name: string, ID: bigint, keys: boolean): Step {
  return steps(name, '/etcdserverpb.Lease/LeaseTimeToLive', async ({ client }) => {
    const { code, text, response } = await client.call('leaseTimeToLive', { ID, keys })
    const { TTL = 0n, grantedTTL = 0n } = response ?? {}
    return readable({
      code,
      text,
      response: {
        ...response,
        TTL: comparableSeconds(TTL, grantedTTL),
        keys: inAnyOrder((response?.keys ?? []).map((key) => Buffer.from(key).toString())),
      },
    })
  })
}

const listed = steps(
  'leases that are there',
  '/etcdserverpb.Lease/LeaseLeases',
  async ({ client }) => {
    const { code, text, response } = await client.call('leaseLeases')
    const leases = inAnyOrder((response?.leases ?? []).map(({ ID }) => String(ID)))
    return readable({ code, text, response: { ...response, leases } })
  },
)

function grants(): Step[] {
  const ids = [1n, 1n, -1n, -9n, maxInt64, -maxInt64 - 1n]
  const times = [
    longTtl,
    0n,
    -1n,
    1n,
    2n,
    3n,
    9_000_000_000n,
    9_000_000_001n,
    maxInt64,
    -maxInt64 - 1n,
  ]
  return [
    ...ids.map((ID) => call(`grant ${ID}`, 'leaseGrant', { ID, TTL: longTtl })),
    ...times.flatMap((TTL, position) => {
      const ID = BigInt(7_400 + position)
      return [
        call(`grant for ${TTL}`, 'leaseGrant', { ID, TTL }),
        call(`grant for ${TTL} again`, 'leaseGrant', { ID, TTL }),
        call(`revocation of what was granted for ${TTL}`, 'leaseRevoke', { ID }),
      ]
    }),
    listed,
    ...new Set(ids),
  ].map((each) =>
    typeof each === 'bigint' ? call(`revocation of ${each}`, 'leaseRevoke', { ID: each }) : each,
  )
}

/** Leases. */
export function leaseSteps(): readonly Step[] {
  const missing = [0n, 7_499n, -3n, maxInt64]
  return [
    ...grants(),
    listed,
    ...missing.flatMap((ID) => [
      call(`revocation of the missing ${ID}`, 'leaseRevoke', { ID }),
      withoutRemaining(`time of the missing ${ID}`, ID, false),
      withoutRemaining(`time and keys of the missing ${ID}`, ID, true),
      steps(`renewal of the missing ${ID}`, keepAlivePath, (subject) => renew(subject, [ID])),
      call(`put with the missing ${ID}`, 'put', { key: bytes('l/x'), lease: ID }),
    ]),
    call('grant of one', 'leaseGrant', { ID: 7_301n, TTL: longTtl }),
    call('grant of another', 'leaseGrant', { ID: 7_302n, TTL: longTtl }),
    ...['l/1', 'l/2', 'l/3'].map((key) =>
      call(`put ${key} with a lease`, 'put', { key: bytes(key), lease: 7_301n }),
    ),
    withoutRemaining('time of one', 7_301n, false),
    withoutRemaining('keys of one', 7_301n, true),
    call('l/1 goes to another', 'put', { key: bytes('l/1'), lease: 7_302n, prevKv: true }),
    call('l/2 goes to none', 'put', { key: bytes('l/2'), prevKv: true }),
    call('l/3 keeps it', 'put', { key: bytes('l/3'), ignoreLease: true, prevKv: true }),
    call('l/1 keeps it and its value', 'put', {
      key: bytes('l/1'),
      ignoreLease: true,
      ignoreValue: true,
    }),
    withoutRemaining('keys of one after that', 7_301n, true),
    withoutRemaining('keys of another after that', 7_302n, true),
    call('comparison of leases', 'txn', {
      compare: [
        {
          key: bytes('l/1'),
          target: 4,
          targetUnion: { $case: 'lease', value: 7_302n },
        },
      ],
      success: [
        {
          request: {
            $case: 'requestPut',
            value: { key: bytes('l/4'), lease: 7_302n, value: bytes('by transaction') },
          },
        },
      ],
    }),
    steps('renewals on one stream', keepAlivePath, (subject) =>
      renew(subject, [7_301n, 7_499n, 7_302n, 0n, 7_301n, -1n]),
    ),
    steps('a stream of no renewals', keepAlivePath, (subject) => renew(subject, [])),
    call('delete of a key with a lease', 'deleteRange', { key: bytes('l/3'), prevKv: true }),
    withoutRemaining('keys of one after the delete', 7_301n, true),
    call('revocation of one', 'leaseRevoke', { ID: 7_301n }),
    call('what is left after one', 'range', { key: bytes('l/'), rangeEnd: bytes('l0') }),
    call('revocation of another', 'leaseRevoke', { ID: 7_302n }),
    call('what is left after another', 'range', { key: bytes('l/'), rangeEnd: bytes('l0') }),
    call('revocation of another again', 'leaseRevoke', { ID: 7_302n }),
    listed,
    steps('an id of the server', '/etcdserverpb.Lease/LeaseGrant', async ({ client }) => {
      const { code, text, response } = await client.call('leaseGrant', { TTL: longTtl })
      const isPositive = (response?.ID ?? 0n) > 0n
      await client.must('leaseRevoke', { ID: response?.ID ?? 0n })
      return readable({ code, text, response: { ...response, ID: isPositive } })
    }),
  ]
}
