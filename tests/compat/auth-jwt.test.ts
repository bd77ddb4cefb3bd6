/** Signed tokens on a real etcd and on our node: who may use them, how long, and that either takes those of the other. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { expectAlike } from '../helpers/comparisons.ts'
import { newerEtcd } from '../helpers/newer-etcd.ts'
import {
  methods,
  readable,
  RpcClient,
  type MethodName,
  type RequestOf,
} from '../helpers/rpc-client.ts'
import { ServerPair } from '../helpers/server-pair.ts'

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
