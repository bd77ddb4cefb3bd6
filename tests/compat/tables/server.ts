/** Members, maintenance and health, unknown methods, and messages that are none, for every method there is. */
import { HealthCheckRequest, HealthCheckResponse } from '../../../src/core/proto/gen/health.ts'
import { framed } from '../../helpers/raw-grpc.ts'
import { methods, type MethodName } from '../../helpers/rpc-client.ts'
import { comparableStatus, readable, withoutDecoderWords } from '../exclusions.ts'
import { bytes, call, pure, steps, type Step, type Subject } from './step.ts'

const healthPath = '/grpc.health.v1.Health/Check'
const maxUint64 = 18_446_744_073_709_551_615n

function memberCall(
  name: string,
  method: 'memberList' | 'memberAdd' | 'memberRemove' | 'memberUpdate' | 'memberPromote',
  fieldsOf: (subject: Subject) => object | Promise<object> = () => ({}),
): Step {
  return steps(name, methods[method].path, async (subject) =>
    subject.cluster.comparable(await subject.client.call(method, await fieldsOf(subject))),
  )
}

function members(): Step[] {
  const badUrls = [
    [],
    [''],
    ['x'],
    ['ftp://127.0.0.1:1'],
    ['http://127.0.0.1'],
    ['http://127.0.0.1:1/p'],
  ]
  const first = async ({ cluster }: Subject): Promise<bigint> => (await cluster.ids())[0] ?? 0n
  return [
    memberCall('members', 'memberList', () => ({ linearizable: true })),
    memberCall('members as known here', 'memberList'),
    ...badUrls.flatMap((peerURLs) =>
      [false, true].map((isLearner) =>
        memberCall(
          `member ${JSON.stringify(peerURLs)} added ${isLearner ? 'to learn' : ''}`,
          'memberAdd',
          () => ({
            peerURLs,
            isLearner,
          }),
        ),
      ),
    ),
    ...[0n, 1n, maxUint64].flatMap((ID) => [
      memberCall(`member ${ID} removed`, 'memberRemove', () => ({ ID })),
      memberCall(`member ${ID} updated`, 'memberUpdate', () => ({
        ID,
        peerURLs: ['http://127.0.0.1:1'],
      })),
      memberCall(`member ${ID} promoted`, 'memberPromote', () => ({ ID })),
    ]),
    memberCall('a voter promoted', 'memberPromote', async (subject) => ({
      ID: await first(subject),
    })),
    memberCall('a member updated to what it is', 'memberUpdate', async (subject) => ({
      ID: await first(subject),
      peerURLs: subject.cluster.peerUrls.slice(0, 1),
    })),
  ]
}

const status = steps('status', methods.status.path, async ({ client, cluster }) =>
  comparableStatus(await client.call('status'), await cluster.ids()),
)

/** Alarms of a member that nobody is, so that they are told alike. */
function alarm(name: string, fields: { action?: 0 | 1 | 2; alarm?: 0 | 1 | 2 }): Step {
  return call(name, 'alarm', { memberID: 77n, ...fields })
}

const refusedFor = (alarmName: string): Step[] => [
  call(`put under ${alarmName}`, 'put', { key: bytes('m/a'), value: bytes('v') }),
  call(`put without key under ${alarmName}`, 'put', {}),
  call(`range under ${alarmName}`, 'range', { key: bytes('m/a') }),
  call(`delete under ${alarmName}`, 'deleteRange', { key: bytes('m/none') }),
  call(`empty transaction under ${alarmName}`, 'txn', {}),
  call(`reading transaction under ${alarmName}`, 'txn', {
    success: [{ request: { $case: 'requestRange', value: { key: bytes('m/a') } } }],
  }),
  call(`deleting transaction under ${alarmName}`, 'txn', {
    success: [{ request: { $case: 'requestDeleteRange', value: { key: bytes('m/none') } } }],
  }),
  call(`writing transaction under ${alarmName}`, 'txn', {
    failure: [{ request: { $case: 'requestPut', value: { key: bytes('m/a') } } }],
  }),
  call(`compaction under ${alarmName}`, 'compact', { revision: 1n }),
  call(`lease under ${alarmName}`, 'leaseGrant', { ID: 7_601n, TTL: 500n }),
  call(`revocation under ${alarmName}`, 'leaseRevoke', { ID: 7_601n }),
  call(`time of a lease under ${alarmName}`, 'leaseTimeToLive', { ID: 7_699n }),
  call(`user under ${alarmName}`, 'userAdd', { name: 'alarmed', password: 'x' }),
  call(`user deleted under ${alarmName}`, 'userDelete', { name: 'alarmed' }),
  call(`role under ${alarmName}`, 'roleAdd', { name: 'alarmed' }),
  call(`role deleted under ${alarmName}`, 'roleDelete', { role: 'alarmed' }),
  memberCall(`members under ${alarmName}`, 'memberList', () => ({ linearizable: true })),
  status,
]

function alarms(): Step[] {
  return [
    alarm('no alarms', {}),
    alarm('none of one kind', { alarm: 2 }),
    alarm('one lowered that is not raised', { action: 2, alarm: 1 }),
    alarm('no space raised', { action: 1, alarm: 1 }),
    alarm('no space raised again', { action: 1, alarm: 1 }),
    alarm('alarms', {}),
    alarm('alarms of the other kind', { alarm: 2 }),
    ...refusedFor('no space'),
    alarm('no space lowered', { action: 2, alarm: 1 }),
    alarm('corruption raised', { action: 1, alarm: 2 }),
    ...refusedFor('corruption'),
    alarm('no space raised beside it', { action: 1, alarm: 1 }),
    steps('both alarms', methods.alarm.path, async ({ client }) => {
      const { code, text, response } = await client.call('alarm')
      const kinds = response?.alarms.map(({ alarm: each }) => each).sort()
      return readable({ code, text, kinds })
    }),
    // In 3.5 the latest alarm alone has its effect, and the end of either ends it, so nothing is asked between.
    alarm('no space lowered beside it', { action: 2, alarm: 1 }),
    alarm('corruption lowered', { action: 2, alarm: 2 }),
    alarm('corruption lowered again', { action: 2, alarm: 2 }),
    alarm('no alarms are left', {}),
    status,
    call('a write after the alarms', 'put', { key: bytes('m/a'), value: bytes('v') }),
  ]
}

function maintenance(): Step[] {
  return [
    status,
    call('defragmentation', 'defragment', {}),
    status,
    call('leadership to nobody', 'moveLeader', {}),
    call('leadership to a stranger', 'moveLeader', { targetID: 12_345n }),
    steps('leadership to the asked one', methods.moveLeader.path, async ({ client }) => {
      const { header } = await client.must('status')
      return readable(await client.call('moveLeader', { targetID: header?.memberId ?? 0n }))
    }),
    steps('hash of everything', methods.hash.path, async ({ client }) => {
      const { code, text, response } = await client.call('hash')
      return readable({ code, text, header: response?.header, hasHash: response?.hash !== 0 })
    }),
    steps('snapshot', '/etcdserverpb.Maintenance/Snapshot', async ({ client }) => {
      const { code, text, messages } = await client.raw.call(
        '/etcdserverpb.Maintenance/Snapshot',
        framed(new Uint8Array()),
        client.headers,
      )
      return { code, text, isLong: messages.length > 1 }
    }),
  ]
}

function health(): Step[] {
  return [
    ...['', 'other', 'etcdserverpb.KV'].map((service) =>
      steps(`health of "${service}"`, healthPath, async ({ client }) => {
        const { code, text, messages } = await client.raw.call(
          healthPath,
          framed(HealthCheckRequest.encode({ service }).finish()),
        )
        return { code, text, messages: messages.map((each) => HealthCheckResponse.decode(each)) }
      }),
    ),
    ...['', 'other'].map((service) =>
      steps(
        `health of "${service}" watched`,
        '/grpc.health.v1.Health/Watch',
        async ({ client }) => {
          const stream = client.raw.open('/grpc.health.v1.Health/Watch')
          stream.send(HealthCheckRequest.encode({ service }).finish())
          const answer = HealthCheckResponse.decode((await stream.next()) ?? new Uint8Array())
          stream.cancel()
          return answer
        },
      ),
    ),
  ]
}

/** Bodies that hold no request, sent to a path. The words of a decoder are its own. */
function broken(path: string): Step[] {
  const bodies: readonly (readonly [string, Uint8Array | undefined, Record<string, string>?])[] = [
    ['no message', undefined],
    ['a field cut off', framed(Uint8Array.of(0x0a, 0x7f, 0x41))],
    ['a tag of no kind', framed(Uint8Array.of(0x0f))],
    ['a prefix cut off', Uint8Array.of(0, 0, 0)],
    ['a message cut off', framed(Uint8Array.of(0x0a, 1, 0x41)).subarray(0, 7)],
    ['compressed, but not told how', framed(new Uint8Array(), 1)],
    ['compressed by something unknown', framed(new Uint8Array(), 1), { 'grpc-encoding': 'snappy' }],
  ]
  return bodies.map(([name, body, headers]) =>
    steps(`${path}: ${name}`, path, async ({ client }) => {
      const { code, text, httpStatus } = await client.raw.call(path, body, headers ?? {})
      return { code, httpStatus, text: withoutDecoderWords(text) }
    }),
  )
}

function unknownMethods(): Step[] {
  const services = ['KV', 'Watch', 'Lease', 'Cluster', 'Maintenance', 'Auth', 'Nothing']
  const paths = [
    ...services.map((service) => `/etcdserverpb.${service}/Nothing`),
    '/grpc.health.v1.Health/Nothing',
    '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo',
    '/v3lockpb.Lock/Nothing',
    '/v3electionpb.Election/Nothing',
    '/etcdserverpb.KV/range',
  ]
  return paths.map((path) =>
    steps(`unknown ${path}`, path, async ({ client }) => {
      const { code, text, httpStatus } = await client.raw.call(path, framed(new Uint8Array()))
      return { code, text, httpStatus }
    }),
  )
}

/** Methods that 3.5 knows; their bodies can be broken on either side. */
const brokenMethods = (Object.keys(methods) as MethodName[]).filter(
  (name) => !['rangeStream'].includes(name),
)

/** Everything that is about the server. */
export function serverSteps(): readonly Step[] {
  return [
    ...members(),
    ...maintenance(),
    ...health(),
    ...alarms(),
    ...pure([
      ...unknownMethods(),
      ...brokenMethods.flatMap((name) => broken(methods[name].path)),
      ...broken(healthPath),
    ]),
  ]
}
