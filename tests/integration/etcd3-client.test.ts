/**
 * A client library that programs use, the npm package etcd3, against three of our nodes with TLS and users: its usual life,
 * and the death of the node that it talks to.
 */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  Etcd3,
  EtcdAuthenticationFailedError,
  EtcdLockFailedError,
  EtcdPermissionDeniedError,
  type IOptions,
  type Namespace,
} from 'etcd3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TestAuthority } from '../helpers/certificates.ts'
import { QuoratedMember } from '../helpers/quorated.ts'
import { freePorts } from '../helpers/real-etcd.ts'

const folder = mkdtempSync(join(tmpdir(), 'etcd3-client-'))
const members: QuoratedMember[] = []
const clients: Etcd3[] = []
let rootCertificate: Buffer
let client: Etcd3

/** A client of all nodes. Calls end after a while, because this library has no time limit of its own. */
function connect(auth?: IOptions['auth']): Etcd3 {
  const made = new Etcd3({
    hosts: members.map(({ clientUrl }) => clientUrl),
    credentials: { rootCertificate },
    ...(auth === undefined ? {} : { auth }),
    defaultCallOptions: ({ isStream }) => (isStream ? {} : { deadline: Date.now() + 5_000 }),
  })
  clients.push(made)
  return made
}

beforeAll(async () => {
  const authority = await TestAuthority.create(folder)
  const server = await authority.issue('server')
  rootCertificate = readFileSync(authority.certPath)
  // Tokens that outlive the node that gave them. Simple ones do not, here as with etcd, and this library takes that badly:
  // it ends a watcher whose token is refused, and a call that tries a node again after failures and has its token refused
  // waits for itself without end (its circuit breaker lets nothing pass until the trial is over, and the retry is in it).
  const tokenKey = join(folder, 'token.key')
  writeFileSync(tokenKey, randomBytes(32))
  const ports = await freePorts(6)
  const names = ['node1', 'node2', 'node3']
  const peerUrls = names.map((_, position) => `http://127.0.0.1:${String(ports[position])}`)
  const initialCluster = names.map((name, position) => `${name}=${peerUrls[position] ?? ''}`).join()
  for (const [position, name] of names.entries()) {
    const addresses = {
      name,
      clientUrl: `https://127.0.0.1:${String(ports[position + 3])}`,
      peerUrl: peerUrls[position] ?? '',
      dataDirectory: join(folder, name),
    }
    members.push(
      new QuoratedMember(addresses, [
        `--initial-cluster=${initialCluster}`,
        `--cert-file=${server.cert}`,
        `--key-file=${server.key}`,
        '--bcrypt-cost=4',
        `--auth-token=jwt,sign-method=HS256,priv-key=${tokenKey},ttl=10m`,
        '--heartbeat-interval=50',
        '--election-timeout=500',
      ]),
    )
  }
  await Promise.all(members.map((member) => member.start()))
  const administrator = connect()
  await administrator.role('root').create()
  const root = await administrator.user('root').create('secret')
  await root.addRole('root')
  const role = await administrator.role('app').create()
  await role.grant({ permission: 'Readwrite', range: administrator.range({ prefix: 'app/' }) })
  const user = await administrator.user('app').create('word')
  await user.addRole('app')
  await administrator.auth.authEnable()
  client = connect({ username: 'app', password: 'word' })
})

afterAll(async () => {
  for (const each of clients) each.close()
  await Promise.all(members.map((member) => member.kill()))
  rmSync(folder, { recursive: true, force: true })
})

/** A name space that nobody has used. */
let spaceCount = 0
const space = (): Namespace => client.namespace(`app/${String(spaceCount++)}/`)

describe('users', () => {
  test('reach what their roles allow and nothing else', async () => {
    await client.put('app/own').value('1')
    expect(await client.get('app/own')).toBe('1')
    await expect(client.put('others').value('1').exec()).rejects.toThrow(EtcdPermissionDeniedError)
    await expect(client.getAll().exec()).rejects.toThrow(EtcdPermissionDeniedError)
    await expect(client.getUsers()).rejects.toThrow(EtcdPermissionDeniedError)
    await expect(connect().get('app/own').exec()).rejects.toThrow('user name is empty')
    const stranger = connect({ username: 'app', password: 'wrong' })
    await expect(stranger.get('app/own').exec()).rejects.toThrow(EtcdAuthenticationFailedError)
    const root = connect({ username: 'root', password: 'secret' })
    expect((await root.getUsers()).map(({ name }) => name).sort()).toEqual(['app', 'root'])
    expect((await root.getRoles()).map(({ name }) => name).sort()).toEqual(['app', 'root'])
  })
})

describe('keys', () => {
  test('in a namespace are seen without its name, and not from another one', async () => {
    const left = space()
    const right = space()
    for (const key of ['a', 'b/1', 'b/2', 'c']) await left.put(key).value(`left ${key}`)
    await right.put('b/3').value(Buffer.from([0, 255, 128]))
    expect(await left.getAll().strings()).toEqual({
      a: 'left a',
      'b/1': 'left b/1',
      'b/2': 'left b/2',
      c: 'left c',
    })
    expect(await left.getAll().prefix('b/').keys()).toEqual(['b/1', 'b/2'])
    expect(await left.getAll().sort('Key', 'Descend').limit(2).keys()).toEqual(['c', 'b/2'])
    expect(await left.getAll().count()).toBe(4)
    expect(await right.get('b/3').buffer()).toEqual(Buffer.from([0, 255, 128]))
    expect(await right.get('a')).toBeNull()
    expect(await left.get('a').exists()).toBe(true)
    await left.delete().prefix('b/')
    expect(await left.getAll().keys()).toEqual(['a', 'c'])
    expect(await right.getAll().keys()).toEqual(['b/3'])
  })

  test('change in transactions, and counters lose nothing to each other', async () => {
    const own = space()
    const swap = (from: string, to: string): Promise<{ readonly succeeded: boolean }> =>
      own
        .if('state', 'Value', '==', from)
        .then(own.put('state').value(to), own.put('changed').value('yes'))
        .else(own.get('state'))
        .commit()
    await own.put('state').value('one')
    expect(await swap('one', 'two')).toMatchObject({ succeeded: true })
    expect(await swap('one', 'three')).toMatchObject({ succeeded: false })
    expect(await own.getAll().strings()).toEqual({ changed: 'yes', state: 'two' })
    await own.put('counter').value(0)
    const add = (): Promise<unknown> =>
      own.stm({ retries: 50 }).transact(async (transaction) => {
        const value = Number(await transaction.get('counter'))
        await transaction.put('counter').value(value + 1)
      })
    await Promise.all(Array.from({ length: 8 }, add))
    expect(await own.get('counter').number()).toBe(8)
  })
})

describe('leases', () => {
  test('hold keys while they are kept alive, and take them along', async () => {
    const own = space()
    const lease = own.lease(5)
    const renewed = new Promise<void>((resolve) =>
      lease.once('keepaliveSucceeded', () => {
        resolve()
      }),
    )
    await lease.put('session').value('here')
    await renewed
    expect((await lease.keepaliveOnce()).TTL).toBe('5')
    const { kvs } = await own.get('session').exec()
    expect(kvs[0]?.lease).toBe(BigInt(await lease.grant()).toString())
    await lease.revoke()
    expect(await own.get('session')).toBeNull()
    const other = own.lease(5, { autoKeepAlive: false })
    const id = await other.grant()
    await own.leaseClient.leaseRevoke({ ID: id })
    await expect(other.keepaliveOnce()).rejects.toThrow()
  })

  test('make locks, which one holds at a time', async () => {
    const own = space()
    const held = await own.lock('lock').ttl(5).acquire()
    await expect(own.lock('lock').ttl(5).acquire()).rejects.toThrow(EtcdLockFailedError)
    await held.release()
    let inside = 0
    let insideMax = 0
    let doneCount = 0
    const work = async (): Promise<void> => {
      try {
        await own
          .lock('lock')
          .ttl(5)
          .do(async () => {
            insideMax = Math.max(insideMax, ++inside)
            await own.get('lock')
            inside--
          })
        doneCount++
      } catch (error) {
        if (!(error instanceof EtcdLockFailedError)) throw error
        await work()
      }
    }
    await Promise.all([work(), work(), work()])
    expect({ insideMax, doneCount }).toEqual({ insideMax: 1, doneCount: 3 })
  })

  test('make elections, which the next candidate wins when the first one resigns', async () => {
    const election = space().election('singleton', 5)
    const seen: (string | undefined)[] = []
    const observer = await election.observe()
    observer.on('change', (leader) => seen.push(leader))
    const first = election.campaign('first')
    await first.wait()
    const second = election.campaign('second')
    await expect.poll(() => seen).toEqual(['first'])
    await first.proclaim('still first')
    await expect.poll(() => seen).toEqual(['first', 'still first'])
    const elected = second.wait()
    await first.resign()
    await elected
    await expect.poll(() => seen.at(-1)).toBe('second')
    expect(await election.leader()).toBe('second')
    await second.resign()
    await observer.cancel()
  })
})

test('watchers, leases and locks outlive the nodes that they were served by', async () => {
  const own = space()
  const lease = own.lease(10)
  const lost: unknown[] = []
  lease.on('lost', (error) => lost.push(error))
  await lease.put('session').value('here')
  const lock = await own.lock('lock').ttl(10).acquire()
  const watcher = await own.watch().prefix('key/').create()
  const seen: { readonly key: string; readonly revision: number }[] = []
  const watchErrors: unknown[] = []
  let breakCount = 0
  watcher.on('put', ({ key, mod_revision: revision }) => {
    seen.push({ key: key.toString(), revision: Number(revision) })
  })
  watcher.on('disconnected', () => breakCount++)
  watcher.on('error', (error) => watchErrors.push(error))
  let writtenCount = 0
  // One of the three serves the watcher.
  for (const member of members) {
    await member.kill()
    for (let step = 0; step < 5; step++) await putUntilDone(own, `key/${String(writtenCount++)}`)
    await member.start()
    if (breakCount > 0) break
  }
  expect(breakCount).toBeGreaterThan(0)
  const { kvs } = await own.getAll().prefix('key/').exec()
  const versionTotal = kvs.reduce((total, { version }) => total + Number(version), 0)
  await expect.poll(() => seen.length, { timeout: 60_000 }).toBeGreaterThanOrEqual(versionTotal)
  // Each write once, in order; one whose answer was lost may have been made twice.
  const revisions = seen.map(({ revision }) => revision)
  expect(revisions).toEqual([...new Set(revisions)].sort((left, right) => left - right))
  expect(seen).toHaveLength(versionTotal)
  expect(new Set(seen.map(({ key }) => key)).size).toBe(writtenCount)
  expect(watchErrors).toEqual([])
  expect(lost).toEqual([])
  expect(await own.get('session')).toBe('here')
  await expect(own.lock('lock').ttl(5).acquire()).rejects.toThrow(EtcdLockFailedError)
  await lock.release()
  await lease.revoke()
  expect(await own.get('session')).toBeNull()
  await watcher.cancel()
})

/** Puts again until it is acknowledged: without a leader, or with one that has just died, a put is not. */
async function putUntilDone(target: Namespace, key: string): Promise<void> {
  const endsAtMs = Date.now() + 40_000
  for (;;) {
    try {
      await target
        .put(key)
        .value('v')
        .options({ deadline: Date.now() + 2_000 })
      return
    } catch (error) {
      if (Date.now() > endsAtMs) throw error
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}
