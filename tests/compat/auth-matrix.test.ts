/**
 * Who may do what: callers × calls, cell by cell, on a real etcd and on our node. Every request is built so that it changes
 * nothing that a later cell depends on, or fails for another reason once it is allowed.
 *
 * We follow etcd 3.7, the real one is a 3.5: what was tightened since is listed beside the cell, with what we answer.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  LeaseKeepAliveRequest,
  LeaseKeepAliveResponse,
  SnapshotRequest,
  WatchRequest,
  WatchResponse,
  type PutRequest,
  type RequestOp,
} from '../../src/core/proto/gen/rpc.ts'
import { noteComparisons } from '../helpers/comparisons.ts'
import { newerEtcd } from '../helpers/newer-etcd.ts'
import { framed } from '../helpers/raw-grpc.ts'
import { RpcClient, type MethodName, type RequestOf } from '../helpers/rpc-client.ts'
import { ServerPair } from '../helpers/server-pair.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text)

/** Who calls; `nobody` sends no token, `wrong` one that nobody has. */
const callers = ['nobody', 'wrong', 'bare', 'reader', 'writer', 'both', 'halves', 'root'] as const
type Caller = (typeof callers)[number]

/** Roles of the users of the same names: [kind, key, end]. `halves` holds two ranges that touch. */
const grants: Readonly<Record<string, readonly (readonly [0 | 1 | 2, string, string])[]>> = {
  reader: [
    [0, 'a', 'c'],
    [0, 'one', ''],
  ],
  writer: [
    [1, 'a', 'c'],
    [1, 'one', ''],
  ],
  both: [
    [2, 'a', 'c'],
    [2, 'w', '\0'],
  ],
  halves: [
    [2, 'a', 'b'],
    [2, 'b', 'c'],
  ],
}

const key = (start: string, rangeEnd = '') => ({ key: bytes(start), rangeEnd: bytes(rangeEnd) })
const putFields = (start: string, fields: Partial<PutRequest> = {}): PutRequest => ({
  key: bytes(start),
  value: bytes('v'),
  lease: 0n,
  prevKv: false,
  ignoreValue: false,
  ignoreLease: false,
  ...fields,
})
const putOp = (start: string, fields: Partial<PutRequest> = {}): RequestOp => ({
  request: { $case: 'requestPut', value: putFields(start, fields) },
})
const rangeOp = (start: string, rangeEnd = ''): RequestOp => ({
  request: {
    $case: 'requestRange',
    value: {
      ...key(start, rangeEnd),
      limit: 0n,
      revision: 0n,
      sortOrder: 0,
      sortTarget: 0,
      serializable: false,
      keysOnly: false,
      countOnly: false,
      minModRevision: 0n,
      maxModRevision: 0n,
      minCreateRevision: 0n,
      maxCreateRevision: 0n,
    },
  },
})
const deleteOp = (start: string, prevKv = false): RequestOp => ({
  request: { $case: 'requestDeleteRange', value: { ...key(start), prevKv } },
})
const txnOp = (operation: RequestOp): RequestOp => ({
  request: {
    $case: 'requestTxn',
    value: { compare: [], success: [operation], failure: [] },
  },
})
const compareOf = (start: string) => ({
  result: 0 as const,
  target: 0 as const,
  ...key(start),
  targetUnion: { $case: 'version' as const, value: 99n },
})

/** Answers of 3.5.16 that became others, for all of its callers or for some. */
type Since37 = Partial<Record<Caller, readonly [code: number, text: string]>>

interface Row {
  readonly name: string
  readonly ask: (client: RpcClient) => Promise<readonly [code: number, text: string]>
  /** What we answer where 3.5 still let somebody through, or told it in other words. */
  readonly since37?: Since37
}

function row<Name extends MethodName>(
  name: string,
  method: Name,
  fields: Partial<RequestOf<Name>> = {},
  since37: Since37 = {},
): Row {
  return {
    name,
    since37,
    ask: async (client) => {
      const { code, text } = await client.call(method, fields)
      return [code, text]
    },
  }
}

const userEmpty = [3, 'etcdserver: user name is empty'] as const
const denied = [7, 'etcdserver: permission denied'] as const
const invalidToken = [16, 'etcdserver: invalid auth token'] as const

/** Open in 3.5.16; now for root. */
const nowForRoot: Since37 = {
  nobody: userEmpty,
  wrong: invalidToken,
  ...{ bare: denied, reader: denied, writer: denied, both: denied, halves: denied },
}
/** Open in 3.5.16; now for everybody with a name. */
const nowForUsers: Since37 = { nobody: userEmpty, wrong: invalidToken }

/** What 3.5.16 did not look at within transactions: nested ones, pairs before a put, keys of a put's lease. */
function nowDeniedTo(...names: readonly Caller[]): Since37 {
  return Object.fromEntries(names.map((name) => [name, denied]))
}
const keyless = { bare: denied, nobody: userEmpty }
const nowDeniedInTxn: Readonly<Record<string, Since37>> = {
  'transaction within one that reads a': { ...keyless, ...nowDeniedTo('writer') },
  'transaction within one that puts a': { ...keyless, ...nowDeniedTo('reader') },
  'transaction within one that deletes a': { ...keyless, ...nowDeniedTo('reader') },
  'transaction that puts with the pair before a': nowDeniedTo('writer'),
  'transaction that would puts with the pair before a': nowDeniedTo('writer'),
  'transaction within one that puts with the pair before a': {
    ...keyless,
    ...nowDeniedTo('reader', 'writer'),
  },
  'transaction within one that deletes with pairs a': {
    ...keyless,
    ...nowDeniedTo('reader', 'writer'),
  },
  'transaction that puts with a lease of others a': nowDeniedTo('both', 'halves', 'writer'),
  'transaction that would puts with a lease of others a': nowDeniedTo('both', 'halves', 'writer'),
}
/** Nested, on a key or lease that nobody but root may touch. */
const nowDeniedNested = { ...keyless, ...nowDeniedTo('reader', 'writer', 'both', 'halves') }

function txnRow(name: string, fields: Partial<RequestOf<'txn'>>): Row {
  const isOfOthers = / c$|lease of others/.test(name)
  const nested = name.includes('within one') && isOfOthers ? nowDeniedNested : {}
  return row(name, 'txn', fields, nowDeniedInTxn[name] ?? nested)
}

const refusedWatch = {
  created: true,
  canceled: true,
  cancelReason: 'rpc error: code = PermissionDenied desc = etcdserver: permission denied',
  watchId: '-1',
}
const refused = [0, JSON.stringify(refusedWatch)] as const
const watchesNowDenied: Since37 = { both: refused, halves: refused, reader: refused }
/** Renewing was open to everybody; now it needs the right to write all keys of the lease. */
const renewalsNow: Readonly<Record<string, Since37>> = {
  1: { ...nowForUsers, ...nowDeniedTo('bare', 'reader') },
  2: nowForRoot,
  99: nowForUsers,
}

const ranges = [
  ['a', ''],
  ['b', ''],
  ['c', ''],
  ['one', ''],
  ['one', 'onf'],
  ['a', 'c'],
  ['a', 'b'],
  ['aa', 'bb'],
  ['a', 'd'],
  ['b', '\0'],
  ['w', '\0'],
  ['x', '\0'],
  ['x', 'z'],
  ['', '\0'],
] as const
const nameOf = (start: string, end: string): string => JSON.stringify([start, end])

const rows: readonly Row[] = [
  ...ranges.flatMap(([start, end]) => [
    row(`range ${nameOf(start, end)}`, 'range', key(start, end)),
    row(`stale range ${nameOf(start, end)}`, 'range', { ...key(start, end), serializable: true }),
    row(`delete ${nameOf(start, end)}`, 'deleteRange', key(start, end)),
    row(`delete with pairs ${nameOf(start, end)}`, 'deleteRange', {
      ...key(start, end),
      prevKv: true,
    }),
  ]),
  ...['a', 'b', 'c', 'one', 'onx', 'zz'].flatMap((start) => [
    row(`put ${start}`, 'put', putFields(start)),
    row(`put ${start} with the pair before`, 'put', putFields(start, { prevKv: true })),
    row(`put ${start} with a lease`, 'put', putFields(start, { lease: 1n })),
    row(`put ${start} with a lease of others`, 'put', putFields(start, { lease: 2n })),
    row(`put ${start} with a missing lease`, 'put', putFields(start, { lease: 99n })),
  ]),
  row('put of no key', 'put', putFields('')),
  row('empty transaction', 'txn', {}),
  ...['a', 'c'].flatMap((start) => [
    row(`transaction that compares ${start}`, 'txn', { compare: [compareOf(start)] }),
    ...[
      ['reads', rangeOp(start)] as const,
      ['puts', putOp(start)] as const,
      ['puts with the pair before', putOp(start, { prevKv: true })] as const,
      ['puts with a lease of others', putOp(start, { lease: 2n })] as const,
      ['deletes', deleteOp(start)] as const,
      ['deletes with pairs', deleteOp(start, true)] as const,
    ].flatMap(([what, operation]) => [
      txnRow(`transaction that ${what} ${start}`, { success: [operation] }),
      txnRow(`transaction that would ${what} ${start}`, { failure: [operation] }),
      txnRow(`transaction within one that ${what} ${start}`, { success: [txnOp(operation)] }),
    ]),
  ]),
  row('compaction', 'compact', { revision: 999_999n }, nowForRoot),
  row('grant of a lease', 'leaseGrant', { ID: 1n, TTL: 1_000n }, nowForUsers),
  row('revocation of a missing lease', 'leaseRevoke', { ID: 99n }, nowForUsers),
  row('time of a lease', 'leaseTimeToLive', { ID: 2n }, nowForUsers),
  row('time of a lease with keys', 'leaseTimeToLive', { ID: 2n, keys: true }),
  row('time of a lease with keys of a and b', 'leaseTimeToLive', { ID: 1n, keys: true }),
  row('time of a missing lease', 'leaseTimeToLive', { ID: 99n, keys: true }),
  row('all leases', 'leaseLeases', {}, nowForRoot),
  row('members', 'memberList', { linearizable: true }, nowForUsers),
  row('members as known here', 'memberList', {}, nowForUsers),
  row('member added with bad URLs', 'memberAdd', { peerURLs: ['x'] }),
  row('member removed', 'memberRemove', { ID: 1n }),
  row('member updated', 'memberUpdate', { ID: 1n, peerURLs: ['http://127.0.0.1:1'] }),
  row('member promoted', 'memberPromote', { ID: 1n }),
  row('status', 'status', {}, nowForUsers),
  row('alarms', 'alarm', {}, nowForUsers),
  row('alarm lowered', 'alarm', { action: 2, alarm: 1 }, nowForRoot),
  row('defragmentation', 'defragment', {}, nowForRoot),
  row('hash of keys', 'hashKv', { revision: 999_999n }, nowForRoot),
  row('hash of everything', 'hash', {}, nowForRoot),
  row('a version that cannot be gone back to', 'downgrade', { version: '9.9' }, nowForRoot),
  row('leadership to a stranger', 'moveLeader', { targetID: 12_345n }, nowForRoot),
  row(
    'alarm of the other kind lowered',
    'alarm',
    { action: 2, memberID: 77n, alarm: 2 },
    nowForRoot,
  ),
  row('user added with a hashed password', 'userAdd', { name: 'root', hashedPassword: 'eA==' }),
  row('password changed to a hashed one', 'userChangePassword', {
    name: 'none',
    hashedPassword: 'eA==',
  }),
  row('auth enabled again', 'authEnable'),
  row('auth status', 'authStatus', {}, Object.fromEntries(callers.map((name) => [name, [0, '']]))),
  row('login', 'authenticate', { name: 'nobody', password: 'x' }),
  row('user added', 'userAdd', { name: 'root', password: 'x' }),
  row('user without a name added', 'userAdd', { name: '', password: 'x' }),
  row('user deleted', 'userDelete', { name: 'none' }),
  row('password changed', 'userChangePassword', { name: 'none', password: 'x' }),
  row('role given', 'userGrantRole', { user: 'none', role: 'reader' }),
  row('role taken', 'userRevokeRole', { name: 'none', role: 'reader' }),
  ...['reader', 'writer', 'root', 'none'].map((name) =>
    row(`user ${name} looked at`, 'userGet', { name }),
  ),
  row('users', 'userList'),
  row('role added', 'roleAdd', { name: 'reader' }),
  row('role deleted', 'roleDelete', { role: 'none' }),
  row('permission given', 'roleGrantPermission', {
    name: 'none',
    perm: { permType: 0, ...key('a') },
  }),
  row('permission taken', 'roleRevokePermission', { role: 'none', key: bytes('a') }),
  ...['reader', 'root', 'none'].map((role) => row(`role ${role} looked at`, 'roleGet', { role })),
  row('roles', 'roleList'),
  ...ranges.map(([start, end]): Row => ({
    name: `watch ${nameOf(start, end)}`,
    ask: (client) => watch(client, start, end),
    // 3.5 asked for the right to read the first key only.
    since37: start === 'b' && end === '\0' ? watchesNowDenied : {},
  })),
  ...[1n, 2n, 99n].map((ID): Row => ({
    name: `renewal of lease ${ID}`,
    ask: (client) => renew(client, ID),
    since37: renewalsNow[String(ID)] ?? {},
  })),
  { name: 'snapshot', ask: snapshot, since37: nowForRoot },
]

async function watch(
  client: RpcClient,
  start: string,
  end: string,
): Promise<readonly [number, string]> {
  const call = client.raw.open('/etcdserverpb.Watch/Watch', client.headers)
  const value = key(start, end)
  const wish = WatchRequest.fromPartial({ requestUnion: { $case: 'createRequest', value } })
  call.send(WatchRequest.encode(wish).finish())
  const message = await call.next()
  call.cancel()
  if (message === undefined) {
    const { code, text } = await call.answer
    return [code, text]
  }
  const { created, canceled, cancelReason, watchId } = WatchResponse.decode(message)
  return [0, JSON.stringify({ created, canceled, cancelReason, watchId: String(watchId) })]
}

async function renew(client: RpcClient, ID: bigint): Promise<readonly [number, string]> {
  const { code, text, messages } = await client.raw.call(
    '/etcdserverpb.Lease/LeaseKeepAlive',
    framed(LeaseKeepAliveRequest.encode({ ID }).finish()),
    client.headers,
  )
  const times = messages.map((message) => String(LeaseKeepAliveResponse.decode(message).TTL))
  return [code, `${text}${times.join()}`]
}

async function snapshot(client: RpcClient): Promise<readonly [number, string]> {
  const { code, text } = await client.raw.call(
    '/etcdserverpb.Maintenance/Snapshot',
    framed(SnapshotRequest.encode({}).finish()),
    client.headers,
  )
  return [code, text]
}

let pair: ServerPair
let etcd: RpcClient
let quorate: RpcClient
const tokens = new Map<RpcClient, Map<Caller, string | undefined>>()

async function prepare(client: RpcClient): Promise<void> {
  await client.must('userAdd', { name: 'root', password: 'root' })
  await client.must('userGrantRole', { user: 'root', role: 'root' })
  await client.must('userAdd', { name: 'bare', password: 'bare' })
  for (const [name, permissions] of Object.entries(grants)) {
    await client.must('userAdd', { name, password: name })
    await client.must('roleAdd', { name })
    await client.must('userGrantRole', { user: name, role: name })
    for (const [permType, start, end] of permissions) {
      await client.must('roleGrantPermission', { name, perm: { permType, ...key(start, end) } })
    }
  }
  await client.must('leaseGrant', { ID: 1n, TTL: 1_000n })
  await client.must('leaseGrant', { ID: 2n, TTL: 1_000n })
  await client.must('authEnable')
  const held = new Map<Caller, string | undefined>([
    ['nobody', undefined],
    ['wrong', 'xxxxxxxxxxxxxxxx.1'],
  ])
  for (const name of callers.slice(2)) {
    const { token } = await client.must('authenticate', { name, password: name })
    held.set(name, token)
  }
  tokens.set(client, held)
}

/** Before each row: the same keys, some of them with leases. */
async function restore(client: RpcClient): Promise<void> {
  client.token = tokens.get(client)?.get('root')
  await client.must('put', putFields('a', { lease: 1n }))
  await client.must('put', putFields('b', { lease: 1n }))
  await client.must('put', putFields('c', { lease: 2n }))
  await client.must('put', putFields('one'))
}

beforeAll(async () => {
  pair = await ServerPair.start({ etcdProgram: newerEtcd(), flags: ['--bcrypt-cost=4'] })
  etcd = new RpcClient(pair.etcd.clientUrl)
  quorate = new RpcClient(pair.quorate.clientUrl)
  await Promise.all([prepare(etcd), prepare(quorate)])
})

afterAll(async () => {
  etcd.close()
  quorate.close()
  await pair.dispose()
})

async function cells({ ask }: Row, client: RpcClient): Promise<Record<string, unknown>> {
  await restore(client)
  const answers: Record<string, unknown> = {}
  for (const caller of callers) {
    client.token = tokens.get(client)?.get(caller)
    answers[caller] = await ask(client)
  }
  return answers
}

describe('each call by each caller', () => {
  test.each(rows.map((each) => [each.name, each] as const))('%s', async (_name, each) => {
    const [theirs, ours] = await Promise.all([cells(each, etcd), cells(each, quorate)])
    noteComparisons('who may do what', callers.length)
    expect(ours).toEqual({ ...theirs, ...each.since37 })
  })
})
