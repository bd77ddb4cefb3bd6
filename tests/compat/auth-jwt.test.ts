/** Signed tokens on a real etcd and on our node: who may use them, how long, and that either takes those of the other. */
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { expectAlike } from '../helpers/comparisons.ts'
import { newerEtcd } from '../helpers/newer-etcd.ts'
import { methods, RpcClient, type MethodName, type RequestOf } from '../helpers/rpc-client.ts'
import { ServerPair } from '../helpers/server-pair.ts'
import { readable } from './exclusions.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text)

let folder: string
let pair: ServerPair
let etcd: RpcClient
let quorate: RpcClient

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'jwt-'))
  const key = join(folder, 'key')
  writeFileSync(key, 'a secret that both servers share, and nobody else knows')
  pair = await ServerPair.start({
    etcdProgram: newerEtcd(),
    flags: ['--bcrypt-cost=4', `--auth-token=jwt,sign-method=HS256,priv-key=${key},ttl=3s`],
  })
  etcd = new RpcClient(pair.etcd.clientUrl)
  quorate = new RpcClient(pair.quorate.clientUrl)
})

afterAll(async () => {
  etcd.close()
  quorate.close()
  await pair.dispose()
  rmSync(folder, { recursive: true })
})

async function same<Name extends MethodName>(
  name: Name,
  fields: Partial<RequestOf<Name>> = {},
): Promise<unknown> {
  const [theirs, ours] = await Promise.all([etcd.call(name, fields), quorate.call(name, fields)])
  expectAlike(methods[name].path, { etcd: readable(theirs), quorate: readable(ours) })
  return readable(ours)
}

async function logIn(name: string): Promise<void> {
  for (const client of [etcd, quorate]) {
    client.token = undefined
    client.token = (await client.must('authenticate', { name, password: name })).token
  }
}

function claimsOf(token: string | undefined): Record<string, unknown> {
  const [, payload] = (token ?? '').split('.')
  return JSON.parse(Buffer.from(payload ?? '', 'base64url').toString()) as Record<string, unknown>
}

test('signed tokens say the same, are taken by both, and end with time and with changes of users', async () => {
  for (const name of ['root', 'ann']) await same('userAdd', { name, password: name })
  await same('userGrantRole', { user: 'root', role: 'root' })
  await same('roleAdd', { name: 'reader' })
  await same('roleGrantPermission', {
    name: 'reader',
    perm: { permType: 0, key: bytes('a'), rangeEnd: bytes('') },
  })
  await same('userGrantRole', { user: 'ann', role: 'reader' })
  await same('authEnable')
  await logIn('ann')
  const theirs = claimsOf(etcd.token)
  const ours = claimsOf(quorate.token)
  expect(Object.keys(ours).sort()).toEqual(Object.keys(theirs).sort())
  expect({ ...ours, exp: 0 }).toEqual({ ...theirs, exp: 0 })
  expect(await same('range', { key: bytes('a') })).toMatchObject({ code: 0 })
  expect(await same('put', { key: bytes('a') })).toMatchObject({ code: 7 })
  ;[etcd.token, quorate.token] = [quorate.token, etcd.token]
  expect(await same('range', { key: bytes('a') })).toMatchObject({ code: 0 })
  const kept = etcd.token
  const [head, payload] = (kept ?? '').split('.')
  for (const token of ['', 'x', 'a.b.c', `${head}.${payload}.`, `${kept}x`, 'xxxxxxxxxxxxxxxx.1']) {
    etcd.token = quorate.token = token
    expect(await same('range', { key: bytes('a') }), token).toMatchObject({ code: 16 })
  }
  etcd.token = quorate.token = kept
  await new Promise((resolve) => setTimeout(resolve, 4_200))
  expect(await same('range', { key: bytes('a') })).toMatchObject({ code: 16 })
  await logIn('ann')
  const older = [etcd.token, quorate.token]
  await logIn('root')
  await same('userAdd', { name: 'bob', password: 'bob' })
  ;[etcd.token, quorate.token] = older
  expect(await same('range', { key: bytes('a') })).toMatchObject({
    code: 3,
    text: 'etcdserver: revision of auth store is old',
  })
})

/** Keys of each kind of signature that 3.5 can make; it refuses those of Ed25519. */
const kinds = [
  ['RS256', () => generateKeyPairSync('rsa', { modulusLength: 2_048 })],
  ['PS384', () => generateKeyPairSync('rsa', { modulusLength: 2_048 })],
  ['ES256', () => generateKeyPairSync('ec', { namedCurve: 'P-256' })],
  ['ES512', () => generateKeyPairSync('ec', { namedCurve: 'P-521' })],
] as const

/** Flags for both servers: the two halves of a key in files. */
function keyFlags(method: string, make: (typeof kinds)[number][1]): readonly string[] {
  const { privateKey, publicKey } = make()
  const files = { private: join(folder, `${method}.key`), public: join(folder, `${method}.pub`) }
  const type = method.startsWith('ES') ? 'sec1' : 'pkcs1'
  writeFileSync(files.private, privateKey.export({ type, format: 'pem' }))
  writeFileSync(files.public, publicKey.export({ type: 'spki', format: 'pem' }))
  return [
    '--bcrypt-cost=4',
    `--auth-token=jwt,sign-method=${method},pub-key=${files.public},priv-key=${files.private},ttl=60s`,
  ]
}

// One test per kind: a pair is gone before the next one starts, whatever became of it.
test.each(kinds)('tokens signed by %s are taken by both', async (method, make) => {
  const signing = await ServerPair.start({
    etcdProgram: newerEtcd(),
    flags: keyFlags(method, make),
  })
  const clients = signing.servers.map(({ clientUrl }) => new RpcClient(clientUrl))
  try {
    const tokens = await Promise.all(clients.map(rootToken))
    const heads = tokens.map((token) => headOf(token))
    expectAlike('signed tokens', { etcd: heads[0], quorate: heads[1] }, method)
    for (const token of [...tokens, `${tokens[0]}x`]) {
      const [theirs, ours] = await Promise.all(
        clients.map(async (client) => {
          client.token = token
          return readable(await client.call('userGet', { name: 'root' }))
        }),
      )
      expectAlike('signed tokens', { etcd: theirs, quorate: ours }, method)
      // What is appended makes it another token; a signature itself may end in any letter.
      expect(ours, method).toMatchObject({ code: tokens.includes(token) ? 0 : 16 })
    }
  } finally {
    for (const client of clients) client.close()
    await signing.dispose()
  }
})

async function rootToken(client: RpcClient): Promise<string> {
  await client.must('userAdd', { name: 'root', password: 'root' })
  await client.must('userGrantRole', { user: 'root', role: 'root' })
  await client.must('authEnable')
  return (await client.must('authenticate', { name: 'root', password: 'root' })).token
}

function headOf(token: string): unknown {
  return JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as unknown
}
