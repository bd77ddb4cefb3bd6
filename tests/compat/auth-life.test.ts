/** Users, roles and the switch on a real etcd and on our node: the same steps give the same codes, texts and fields. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expectAlike } from '../helpers/comparisons.ts'
import { newerEtcd } from '../helpers/newer-etcd.ts'
import { quoratedProgram } from '../helpers/quorated.ts'
import { methods, type MethodName, type RequestOf, type RpcClient } from '../helpers/rpc-client.ts'
import { ServerCluster } from '../helpers/server-cluster.ts'
import { readable } from './exclusions.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text)

let etcd: RpcClient
let quorate: RpcClient

async function both<Name extends MethodName>(
  name: Name,
  fields: Partial<RequestOf<Name>>,
): Promise<{ etcd: unknown; quorate: unknown }> {
  const [theirs, ours] = await Promise.all([etcd.call(name, fields), quorate.call(name, fields)])
  return { etcd: readable(theirs), quorate: readable(ours) }
}

/** Asks both the same and expects the same. */
async function same<Name extends MethodName>(
  name: Name,
  fields: Partial<RequestOf<Name>> = {},
): Promise<unknown> {
  const answers = await both(name, fields)
  expectAlike(methods[name].path, answers)
  return answers.quorate
}

/** Logs in at both, and goes on in that name. */
async function logIn(name: string, password: string): Promise<void> {
  for (const client of [etcd, quorate]) {
    client.token = undefined
    const { token } = await client.must('authenticate', { name, password })
    expect(token).toMatch(/^[a-zA-Z]{16}\.\d+$/)
    client.token = token
  }
}

function logOut(): void {
  etcd.token = undefined
  quorate.token = undefined
}

const permission = (permType: 0 | 1 | 2, key: string, rangeEnd = '') => ({
  permType,
  key: bytes(key),
  rangeEnd: bytes(rangeEnd),
})

/** Through whom everything is asked; on three members tokens and users go through the log. */
const ways = [
  ['one member', 1, () => Promise.resolve(0)],
  [
    'a follower of three',
    3,
    async (cluster: ServerCluster) => ((await cluster.leaderIndex()) + 1) % cluster.clients.length,
  ],
] as const

describe.each(ways)('asked of %s', (_name, size, memberOf) => {
  const clusters = {
    etcd: new ServerCluster(newerEtcd()),
    quorate: new ServerCluster(quoratedProgram),
  }

  beforeAll(async () => {
    const flags = ['--bcrypt-cost=4']
    await Promise.all([clusters.etcd.start(size, flags), clusters.quorate.start(size, flags)])
    etcd = clusters.etcd.client(await memberOf(clusters.etcd))
    quorate = clusters.quorate.client(await memberOf(clusters.quorate))
  })

  afterAll(async () => {
    await Promise.all([clusters.etcd.dispose(), clusters.quorate.dispose()])
  })

  test('while the checks are off: users', async () => {
    await same('authStatus')
    await same('authenticate', { name: 'root', password: 'x' })
    await same('authEnable')
    await same('userAdd', { name: '', password: 'x' })
    await same('userAdd', { name: 'root', password: 'secret' })
    await same('userAdd', { name: 'root', password: 'other' })
    await same('authEnable')
    await same('userAdd', { name: 'ann', password: 'a' })
    await same('userAdd', { name: 'bob', password: '' })
    await same('userAdd', { name: 'cert', password: 'ignored', options: { noPassword: true } })
    await same('userAdd', { name: 'long', password: 'x'.repeat(72) })
    await same('userAdd', { name: 'Ann', password: 'x' })
    await same('userAdd', { name: '__proto__', password: 'x' })
    await same('userAdd', { name: 'ünï', password: 'pässwörd' })
    await same('userList')
    await same('userGet', { name: 'ann' })
    await same('userGet', { name: 'nobody' })
    await same('userGet', { name: '' })
    await same('userChangePassword', { name: 'nobody', password: 'x' })
    await same('userChangePassword', { name: 'ann', password: 'b' })
    await same('userDelete', { name: 'nobody' })
    await same('userDelete', { name: 'long' })
    await same('authStatus')
  })

  test('a password that is too long is refused', async () => {
    const { etcd: theirs, quorate: ours } = await both('userAdd', {
      name: 'longer',
      password: 'x'.repeat(73),
    })
    expect(ours).toMatchObject({ code: 2, text: 'bcrypt: password length exceeds 72 bytes' })
    expect(ours).toEqual(theirs)
  })

  test('while the checks are off: roles', async () => {
    await same('roleAdd', { name: '' })
    await same('roleAdd', { name: 'reader' })
    await same('roleAdd', { name: 'reader' })
    await same('roleAdd', { name: 'writer' })
    await same('roleGet', { role: 'reader' })
    await same('roleGet', { role: 'none' })
    await same('roleGet', { role: 'root' })
    await same('roleList')
    await same('roleGrantPermission', { name: 'reader', perm: permission(0, 'a', 'm') })
    await same('roleGrantPermission', { name: 'reader', perm: permission(2, 'a', 'm') })
    await same('roleGrantPermission', { name: 'reader', perm: permission(0, 'a', 'm') })
    await same('roleGrantPermission', { name: 'reader', perm: permission(0, 'A') })
    await same('roleGrantPermission', { name: 'reader', perm: permission(1, 'a') })
    await same('roleGrantPermission', { name: 'reader', perm: permission(0, 'z', '\0') })
    await same('roleGrantPermission', { name: 'reader', perm: permission(0, 'z', 'a') })
    await same('roleGrantPermission', { name: 'reader', perm: permission(0, 'z', 'z') })
    await same('roleGrantPermission', { name: 'reader', perm: permission(0, '', 'z') })
    await same('roleGrantPermission', { name: 'none', perm: permission(0, 'a') })
    await same('roleGrantPermission', { name: 'none' })
    await same('roleGet', { role: 'reader' })
    await same('roleRevokePermission', { role: 'reader', key: bytes('a') })
    await same('roleRevokePermission', { role: 'reader', key: bytes('a') })
    await same('roleRevokePermission', { role: 'reader', key: bytes('a'), rangeEnd: bytes('n') })
    await same('roleRevokePermission', { role: 'none', key: bytes('a') })
    await same('roleGet', { role: 'reader' })
    await same('userGrantRole', { user: 'ann', role: 'none' })
    await same('userGrantRole', { user: 'none', role: 'reader' })
    await same('userGrantRole', { user: 'none', role: 'none' })
    await same('userGrantRole', { user: 'ann', role: 'writer' })
    await same('userGrantRole', { user: 'ann', role: 'reader' })
    await same('userGrantRole', { user: 'ann', role: 'reader' })
    await same('userGet', { name: 'ann' })
    await same('userRevokeRole', { name: 'ann', role: 'none' })
    await same('userRevokeRole', { name: 'none', role: 'reader' })
    await same('userRevokeRole', { name: 'ann', role: 'writer' })
    await same('userRevokeRole', { name: 'ann', role: 'writer' })
    await same('userGrantRole', { user: 'ann', role: 'writer' })
    await same('roleDelete', { role: 'none' })
    await same('roleDelete', { role: 'writer' })
    await same('userGet', { name: 'ann' })
    await same('authStatus')
  })

  test('the checks are turned on only for a root user who has the root role', async () => {
    await same('authEnable')
    await same('userGrantRole', { user: 'root', role: 'root' })
    await same('userGet', { name: 'root' })
    await same('authDisable')
    await same('authEnable')
    await same('authEnable')
    await same('put', { key: bytes('a'), value: bytes('v') })
  })

  test('logins', async () => {
    await same('authenticate', { name: 'root', password: 'wrong' })
    await same('authenticate', { name: 'root', password: '' })
    await same('authenticate', { name: 'nobody', password: 'x' })
    await same('authenticate', { name: '', password: '' })
    await same('authenticate', { name: 'cert', password: '' })
    await same('authenticate', { name: 'cert', password: 'ignored' })
    await logIn('bob', '')
    await same('range', { key: bytes('a') })
    await logIn('ünï', 'pässwörd')
    await logIn('ann', 'b')
    await same('range', { key: bytes('a') })
    await same('range', { key: bytes('n') })
    logOut()
  })

  test('the root user and role are protected while the checks are on', async () => {
    await logIn('root', 'secret')
    await same('authEnable')
    await same('userDelete', { name: 'root' })
    await same('userRevokeRole', { name: 'root', role: 'root' })
    await same('roleDelete', { role: 'root' })
    await same('userList')
    await same('roleList')
    await same('roleAdd', { name: 'root' })
    await same('userAdd', { name: '', password: '' })
    // Shown with everything since 3.6; we follow that.
    expect((await both('roleGet', { role: 'root' })).quorate).toMatchObject({
      response: { perm: [{ permType: 2, key: '', rangeEnd: '\0' }] },
    })
    await same('roleDelete', { role: 'root' })
    await same('authStatus')
  })

  test('tokens: none, wrong ones, and those of users who changed', async () => {
    await logIn('ann', 'b')
    const annTokens = [etcd.token, quorate.token]
    await same('range', { key: bytes('a') })
    for (const token of ['', 'garbage', 'a.b', `${'x'.repeat(16)}.1`, '.1', 'x'.repeat(4_096)]) {
      etcd.token = token
      quorate.token = token
      expect(await same('range', { key: bytes('a') }), token).toMatchObject({ code: 16 })
      expect(await same('put', { key: bytes('a') }), token).toMatchObject({ code: 16 })
      expect(await same('leaseGrant', { ID: 77n, TTL: 10n }), token).toMatchObject({ code: 16 })
    }
    await logIn('root', 'secret')
    await same('userChangePassword', { name: 'ann', password: 'c' })
    ;[etcd.token, quorate.token] = annTokens
    expect(await same('range', { key: bytes('a') })).toMatchObject({ code: 16 })
    await logIn('ann', 'c')
    await same('range', { key: bytes('a') })
    const again = [etcd.token, quorate.token]
    await logIn('root', 'secret')
    await same('userRevokeRole', { name: 'ann', role: 'reader' })
    const rootTokens = [etcd.token, quorate.token]
    ;[etcd.token, quorate.token] = again
    expect(await same('range', { key: bytes('a') })).toMatchObject({ code: 7 })
    ;[etcd.token, quorate.token] = rootTokens
    await same('userDelete', { name: 'ann' })
    ;[etcd.token, quorate.token] = again
    expect(await same('range', { key: bytes('a') })).toMatchObject({ code: 16 })
    logOut()
  })

  test('a token of one member is good at all of them', async () => {
    await logIn('bob', '')
    const tokens = [etcd.token, quorate.token]
    for (const index of clusters.etcd.clients.keys()) {
      const [theirs, ours] = await Promise.all(
        [clusters.etcd, clusters.quorate].map(async (cluster, position) => {
          const client = cluster.client(index)
          const own = client.token
          client.token = tokens[position]
          const answers = [
            await client.call('range', { key: bytes('a') }),
            await client.call('userGet', { name: 'bob' }),
            await client.call('userGet', { name: 'root' }),
            await client.call('put', { key: bytes('a') }),
          ]
          client.token = own
          return readable(answers)
        }),
      )
      expectAlike('tokens at other members', { etcd: theirs, quorate: ours })
      expect(ours).toMatchObject([{ code: 7 }, { code: 0 }, { code: 7 }, { code: 7 }])
    }
    logOut()
  })

  test('turned off, nothing is asked of anybody, and what was stays', async () => {
    await logIn('bob', '')
    await same('authDisable')
    await logIn('root', 'secret')
    await same('authDisable')
    await same('authDisable')
    await same('put', { key: bytes('a'), value: bytes('after') })
    logOut()
    await same('put', { key: bytes('a'), value: bytes('after') })
    await same('userList')
    await same('userGet', { name: 'root' })
    await same('userDelete', { name: 'root' })
    await same('authEnable')
    await same('authStatus')
  })
})
