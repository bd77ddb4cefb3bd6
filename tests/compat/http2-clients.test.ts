/** The client port, judged by clients as they are installed, each of them with TLS and without. */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client as GrpcClient, credentials } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bindMethod, type RpcMethod } from '../../src/core/client/rpc-method.ts'
import { Event_EventType } from '../../src/core/proto/gen/kv.ts'
import {
  DeleteRangeRequest,
  KVDefinition,
  PutRequest,
  RangeRequest,
  WatchDefinition,
  WatchRequest,
  type WatchResponse,
} from '../../src/core/proto/gen/rpc.ts'
import { TestAuthority } from '../helpers/certificates.ts'
import { quoratedProgram, readyLine } from '../helpers/quorated.ts'
import { framed } from '../helpers/raw-grpc.ts'
import { freePorts } from '../helpers/real-etcd.ts'
import { ServerProcess } from '../helpers/server-process.ts'

let folder: string
let authority: TestAuthority
let node: ServerProcess
let plainPort: number
let tlsPort: number

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'quorate-clients-'))
  authority = await TestAuthority.create(folder)
  const server = await authority.issue('server')
  const ports = await freePorts(3)
  plainPort = ports[0] ?? 0
  tlsPort = ports[1] ?? 0
  const peerUrl = `http://127.0.0.1:${ports[2] ?? 0}`
  node = new ServerProcess(quoratedProgram, {
    args: [
      '--name=n',
      `--data-dir=${join(folder, 'data')}`,
      `--listen-client-urls=http://127.0.0.1:${plainPort},https://127.0.0.1:${tlsPort}`,
      `--advertise-client-urls=http://127.0.0.1:${plainPort}`,
      `--listen-peer-urls=${peerUrl}`,
      `--initial-advertise-peer-urls=${peerUrl}`,
      `--initial-cluster=n=${peerUrl}`,
      `--cert-file=${server.cert}`,
      `--key-file=${server.key}`,
    ],
  })
  await node.waitForLine(readyLine)
  const put = PutRequest.encode(
    PutRequest.fromPartial({ key: Buffer.from('load'), value: Buffer.alloc(300) }),
  ).finish()
  const range = RangeRequest.encode(RangeRequest.fromPartial({ key: Buffer.from('load') })).finish()
  writeFileSync(join(folder, 'Put'), framed(put))
  writeFileSync(join(folder, 'Range'), framed(range))
}, 60_000)

afterAll(async () => {
  await node.kill()
  rmSync(folder, { recursive: true, force: true })
})

/** Runs a program to its end. @returns what it printed, without complaints such as of the time that ran out */
function run(program: string, parameters: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, parameters, {
      env: { PATH: process.env['PATH'] ?? '', ETCDCTL_API: '3' },
    })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.resume()
    child.once('error', reject)
    child.once('close', () => {
      resolve(output)
    })
  })
}

const isInstalled = (program: string): boolean =>
  spawnSync(program, ['--version']).error === undefined

describe.each([
  ['with TLS', true],
  ['without TLS', false],
])('%s', (_name, isSecure) => {
  const urlOf = (path: string): string =>
    isSecure ? `https://127.0.0.1:${tlsPort}${path}` : `http://127.0.0.1:${plainPort}${path}`
  const prefix = isSecure ? 'secure' : 'plain'

  test('grpc-js puts, gets, deletes, and watches it', async () => {
    const channel = isSecure
      ? credentials.createSsl(readFileSync(authority.certPath))
      : credentials.createInsecure()
    const client = new GrpcClient(urlOf('').replace(/^.*\/\//, ''), channel)
    const call = <Request, Response>(
      method: RpcMethod<Request, Response>,
      request: Request,
    ): Promise<Response> => {
      const { path, serialize, deserialize } = bindMethod(KVDefinition, method)
      return new Promise((resolve, reject) => {
        client.makeUnaryRequest(path, serialize, deserialize, request, (error, response) => {
          if (response === undefined) reject(error ?? new Error('no answer'))
          else resolve(response)
        })
      })
    }
    const key = Buffer.from(`${prefix}-grpc`)
    const { path, serialize, deserialize } = bindMethod(
      WatchDefinition,
      WatchDefinition.methods.watch,
    )
    const stream = client.makeBidiStreamRequest(path, serialize, deserialize)
    stream.on('error', () => undefined)
    const responses = stream[Symbol.asyncIterator]() as AsyncIterator<WatchResponse>
    stream.write(
      WatchRequest.fromPartial({ requestUnion: { $case: 'createRequest', value: { key } } }),
    )
    expect((await responses.next()).value).toMatchObject({ created: true })
    const { put, range, deleteRange } = KVDefinition.methods
    // Larger than a window of the connection, so that both sides have to widen theirs.
    const value = Buffer.alloc(1_400_000, 'v')
    await call(put, PutRequest.fromPartial({ key, value }))
    const found = await call(range, RangeRequest.fromPartial({ key }))
    expect(value.equals(found.kvs[0]?.value ?? new Uint8Array())).toBe(true)
    expect(await call(deleteRange, DeleteRangeRequest.fromPartial({ key }))).toMatchObject({
      deleted: 1n,
    })
    const types: (number | undefined)[] = []
    while (types.length < 2) {
      const { value: response } = (await responses.next()) as { value: WatchResponse }
      types.push(...response.events.map((event) => event.type))
    }
    expect(types).toEqual([Event_EventType.PUT, Event_EventType.DELETE])
    stream.cancel()
    client.close()
  })

  test('etcdctl puts, gets and watches', async ({ skip }) => {
    skip(!isInstalled('etcdctl'), 'etcdctl is not installed')
    const flags = [
      `--endpoints=${urlOf('')}`,
      ...(isSecure ? [`--cacert=${authority.certPath}`] : []),
    ]
    expect(await run('etcdctl', [...flags, 'put', `${prefix}-ctl`, 'value'])).toBe('OK\n')
    expect(await run('etcdctl', [...flags, 'get', `${prefix}-ctl`])).toBe(`${prefix}-ctl\nvalue\n`)
    const watching = run('timeout', [
      ...['2', 'etcdctl', ...flags, 'watch', '--rev=1', `${prefix}-ctl`],
    ])
    expect(await watching).toContain(`PUT\n${prefix}-ctl\nvalue\n`)
  })

  test.for(['Put', 'Range'])('h2load gets an answer to every %s', async (method, { skip }) => {
    skip(!isInstalled('h2load'), 'h2load is not installed')
    const output = await run('h2load', [
      ...['--requests=2000', '--clients=10', '--max-concurrent-streams=20'],
      `--data=${join(folder, method)}`,
      '--header=content-type: application/grpc',
      urlOf(`/etcdserverpb.KV/${method}`),
    ])
    expect(output).toMatch(/2000 succeeded, 0 failed, 0 errored/)
    expect(output).toMatch(/status codes: 2000 2xx/)
  })

  test.for([
    ['/health', '{"health":"true","reason":""}'],
    ['/version', '"etcdserver"'],
  ] as const)('nghttp asks for %s', async ([path, expected], { skip }) => {
    skip(!isInstalled('nghttp'), 'nghttp is not installed')
    expect(await run('nghttp', ['--no-verify-peer', urlOf(path)])).toContain(expected)
    expect(await run('nghttp', ['--no-verify-peer', '--multiply=50', urlOf(path)])).toContain(
      expected,
    )
  })

  const versions: [string, string[], RegExp][] = isSecure
    ? [
        ['HTTP/2', ['--http2'], /^HTTP\/2 200/],
        ['HTTP/1.1', ['--http1.1'], /^HTTP\/1\.1 200/],
        ['HTTP/1.1 without a choice in the handshake', ['--no-alpn'], /^HTTP\/1\.1 200/],
      ]
    : [
        ['HTTP/2 known before', ['--http2-prior-knowledge'], /^HTTP\/2 200/],
        ['an upgrade to HTTP/2, which is not taken', ['--http2'], /^HTTP\/1\.1 200/],
        ['HTTP/1.1', ['--http1.1'], /^HTTP\/1\.1 200/],
      ]

  test.for(versions)('curl with %s', async ([, parameters, first], { skip }) => {
    skip(!isInstalled('curl'), 'curl is not installed')
    const trust = isSecure ? ['--cacert', authority.certPath] : []
    const curl = (...words: string[]): Promise<string> =>
      run('curl', ['--silent', '--show-error', '--include', ...trust, ...parameters, ...words])
    expect(await curl(urlOf('/health'))).toMatch(first)
    expect(await curl(urlOf('/version'))).toContain('"etcdserver"')
    const key = Buffer.from(`${prefix}-curl`).toString('base64')
    const value = Buffer.alloc(200_000, 'c').toString('base64')
    const put = join(folder, 'put.json')
    writeFileSync(put, JSON.stringify({ key, value }))
    expect(await curl('--data', `@${put}`, urlOf('/v3/kv/put'))).toMatch(first)
    const found = await curl('--data', JSON.stringify({ key }), urlOf('/v3/kv/range'))
    expect(found.includes(value)).toBe(true)
    const watch = JSON.stringify({ create_request: { key, start_revision: '1' } })
    const watching = await curl('--max-time', '2', '--data', watch, urlOf('/v3/watch'))
    expect(watching.includes('"created":true')).toBe(true)
    expect(watching.includes(value)).toBe(true)
  })
})
