/** The client as a user of clusters that check users: a real etcd and our node. The build must have been run. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { bytesOfLatin1, latin1Of } from '../../../src/core/base/bytes.ts'
import { Client } from '../../../src/core/client/client.ts'
import type { WatchEvent } from '../../../src/core/client/watch-client.ts'
import { systemClock } from '../../../src/core/io/system-clock.ts'
import { systemRandom } from '../../../src/core/io/system-random.ts'
import { ServerPair, type PairedServer } from '../../helpers/server-pair.ts'

const run = promisify(execFile)
let pair: ServerPair
const clients: Client[] = []

beforeAll(async () => {
  pair = await ServerPair.start()
  for (const server of pair.servers) await setUp(server)
}, 60_000)

afterEach(() => {
  for (const client of clients.splice(0)) client.dispose()
})

afterAll(() => pair.dispose())

async function control(server: PairedServer, ...words: string[]): Promise<void> {
  await run('etcdctl', ['--endpoints', server.endpoint, ...words], {
    env: { ...process.env, ETCDCTL_API: '3' },
  })
}

const asRoot = (server: PairedServer, ...words: string[]): Promise<void> =>
  control(server, '--user', 'root:r', ...words)

async function setUp(server: PairedServer): Promise<void> {
  await control(server, 'put', '/app/one', '1')
  await control(server, 'put', '/other/one', '1')
  await control(server, 'user', 'add', 'root:r')
  await control(server, 'user', 'grant-role', 'root', 'root')
  await control(server, 'user', 'add', 'alice:a')
  await control(server, 'role', 'add', 'reader')
  await control(server, 'role', 'grant-permission', 'reader', '--prefix=true', 'read', '/app/')
  await control(server, 'role', 'grant-permission', 'reader', 'readwrite', '/notes')
  await control(server, 'user', 'grant-role', 'alice', 'reader')
  await control(server, 'auth', 'enable')
}

function connect(server: PairedServer, user: string, password: string | undefined): Client {
  const client = new Client({
    clock: systemClock,
    random: systemRandom,
    endpoints: [server.clientUrl],
    credentials: { user, password },
  })
  clients.push(client)
  return client
}

const read = (client: Client, key: string): Promise<string[]> =>
  client.kv
    .range({ start: bytesOfLatin1(key) })
    .then(({ pairs }) => pairs.map((one) => latin1Of(one.value)))

describe.each(['etcd', 'quorate'] as const)('a user of %s', (kind) => {
  const server = (): PairedServer => pair[kind]

  test('reads what its role allows, and is refused the rest', async () => {
    const client = connect(server(), 'alice', 'a')
    expect(await read(client, '/app/one')).toEqual(['1'])
    await expect(read(client, '/other/one')).rejects.toMatchObject({ code: 'permissionDenied' })
  })

  test('learns what it may do', async () => {
    const access = await connect(server(), 'alice', 'a').auth.access('alice')
    expect(access.roles).toEqual(['reader'])
    const told = access.permissions.map(({ role, kind: right, start, rangeEnd }) =>
      [role, right, latin1Of(start), latin1Of(rangeEnd)].join(' '),
    )
    expect(told.sort()).toEqual(['reader read /app/ /app0', 'reader readWrite /notes '])
  })

  test('goes on when its token is too old, with calls, writes and watches', async () => {
    const client = connect(server(), 'alice', 'a')
    expect(await read(client, '/app/one')).toEqual(['1'])
    // Each change of the rules makes the tokens before it worthless for calls.
    await asRoot(server(), 'role', 'add', 'other')
    await client.kv.put(bytesOfLatin1('/notes'), bytesOfLatin1('kept'))
    expect(await read(client, '/notes')).toEqual(['kept'])
    await asRoot(server(), 'role', 'delete', 'other')
    const seen: WatchEvent[] = []
    const interval = { start: bytesOfLatin1('/notes') }
    const watch = client.watch.open(
      { interval, startRevision: 0, needsPrevious: false },
      {
        onStarted: () => {
          void client.kv.put(interval.start, bytesOfLatin1('watched'))
        },
        onEvents: (events) => seen.push(...events),
        onProgress: () => undefined,
        onInterrupted: () => undefined,
        onGap: () => undefined,
        onRefused: (error) => {
          throw error
        },
      },
    )
    await expect.poll(() => seen.map((event) => latin1Of(event.pair.value))).toEqual(['watched'])
    watch.dispose()
  })

  test('with a wrong password is refused, once, until another one comes', async () => {
    const client = connect(server(), 'alice', 'wrong')
    await expect(read(client, '/app/one')).rejects.toMatchObject({ code: 'authFailed' })
    expect(client.login?.refusal?.error.code).toBe('authFailed')
    client.login?.change({ user: 'alice', password: 'a' })
    expect(await read(client, '/app/one')).toEqual(['1'])
    expect(client.login?.refusal).toBeUndefined()
  })

  test('without a password is not asked about at all', async () => {
    const client = connect(server(), 'alice', undefined)
    await expect(read(client, '/app/one')).rejects.toMatchObject({
      code: 'authFailed',
      details: { serverText: 'the password of alice is not known' },
    })
  })

  test('is nobody special where users are not checked', async () => {
    await asRoot(server(), 'auth', 'disable')
    expect(await read(connect(server(), 'nobody', 'x'), '/other/one')).toEqual(['1'])
    await control(server(), 'auth', 'enable')
  })
})
