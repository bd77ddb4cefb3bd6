/** The client and peer ports with TLS, judged by clients as they are installed. */
import { spawn, spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TestAuthority, type CertificatePaths } from '../helpers/certificates.ts'
import { quoratedProgram, readyLine } from '../helpers/quorated.ts'
import { freePorts } from '../helpers/real-etcd.ts'
import { ServerProcess } from '../helpers/server-process.ts'

let folder: string
let authority: TestAuthority
let stranger: TestAuthority
let server: CertificatePaths
let client: CertificatePaths
let revoked: CertificatePaths
let foreign: CertificatePaths
let expired: CertificatePaths
let clientPort: number
const nodes: ServerProcess[] = []

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'quorate-tls-'))
  authority = await TestAuthority.create(folder)
  stranger = await TestAuthority.create(folder, 'stranger')
  server = await authority.issue('server')
  client = await authority.issue('client', { commonName: 'alice', hosts: [] })
  revoked = await authority.issue('revoked', { hosts: [] })
  expired = await authority.issue('expired', { hosts: [], validDays: -1 })
  foreign = await stranger.issue('foreign', { hosts: [] })
  const crl = await authority.revoke('list.pem', [revoked.serialNumber])
  const ports = await freePorts(6)
  clientPort = ports[0] ?? 0
  const peerUrlOf = (member: number): string => `https://127.0.0.1:${ports[3 + member] ?? 0}`
  const cluster = [0, 1, 2].map((member) => `n${member}=${peerUrlOf(member)}`).join(',')
  for (const member of [0, 1, 2]) {
    const url = `https://127.0.0.1:${ports[member] ?? 0}`
    nodes.push(
      new ServerProcess(quoratedProgram, {
        args: [
          `--name=n${member}`,
          `--data-dir=${join(folder, `n${member}`)}`,
          `--listen-client-urls=${url},${url.replace('https', 'http')}`,
          `--advertise-client-urls=${url}`,
          `--listen-peer-urls=${peerUrlOf(member)}`,
          `--initial-advertise-peer-urls=${peerUrlOf(member)}`,
          `--initial-cluster=${cluster}`,
          `--cert-file=${server.cert}`,
          `--key-file=${server.key}`,
          `--trusted-ca-file=${authority.certPath}`,
          '--client-cert-auth',
          `--client-crl-file=${crl}`,
          `--peer-cert-file=${server.cert}`,
          `--peer-key-file=${server.key}`,
          `--peer-trusted-ca-file=${authority.certPath}`,
          '--peer-client-cert-auth',
        ],
      }),
    )
  }
  await Promise.all(nodes.map((node) => node.waitForLine(readyLine)))
})

afterAll(async () => {
  await Promise.all(nodes.map((node) => node.kill()))
  rmSync(folder, { recursive: true, force: true })
})

function run(program: string, parameters: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, parameters, {
      env: { PATH: process.env['PATH'] ?? '', ETCDCTL_API: '3' },
    })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.once('error', reject)
    child.once('close', () => {
      resolve(output)
    })
  })
}

const curl = (path: string, ...parameters: string[]): Promise<string> =>
  run('curl', [
    '--silent',
    '--show-error',
    '--include',
    '--cacert',
    authority.certPath,
    ...parameters,
    `https://127.0.0.1:${clientPort}${path}`,
  ])
const showing = ({ cert, key }: CertificatePaths): string[] => ['--cert', cert, '--key', key]

const hasCurl = spawnSync('curl', ['--version']).error === undefined

describe.skipIf(!hasCurl)('three members that speak TLS to each other and to clients', () => {
  test('etcdctl writes with its certificate', async () => {
    const flags = [
      `--endpoints=https://127.0.0.1:${clientPort}`,
      `--cacert=${authority.certPath}`,
      `--cert=${client.cert}`,
      `--key=${client.key}`,
    ]
    expect(await run('etcdctl', [...flags, 'put', 'a', 'b'])).toBe('OK\n')
    expect(await run('etcdctl', [...flags, 'get', 'a'])).toBe('a\nb\n')
  })

  test.each([
    ['HTTP/2 chosen in the handshake', [], /^HTTP\/2 200/],
    ['HTTP/1.1 chosen in the handshake', ['--http1.1'], /^HTTP\/1\.1 200/],
    ['no protocol chosen', ['--no-alpn'], /^HTTP\/1\.1 200/],
  ])('curl with %s is told the health', async (_name, parameters, first) => {
    const output = await curl('/health', ...showing(client), ...parameters)
    expect(output).toMatch(first)
    expect(output).toMatch(/\{"health":"true","reason":""\}$/)
  })

  test.each([
    ['', /200/],
    ['--http2-prior-knowledge', /^HTTP\/2 200/],
  ])('the same port takes curl without TLS %s', async (parameter, first) => {
    const url = `http://127.0.0.1:${clientPort}/version`
    const parameters = ['-s', '-i', parameter, url].filter((word) => word !== '')
    expect(await run('curl', parameters)).toMatch(first)
  })

  test.each([
    ['no certificate', (): string[] => [], "client didn't provide a certificate"],
    ['one of another authority', (): string[] => showing(foreign), 'unknown authority'],
    ['one that has expired', (): string[] => showing(expired), 'has expired'],
    ['one that was revoked', (): string[] => showing(revoked), 'revoked'],
    ['TLS 1.1', (): string[] => [...showing(client), '--tls-max', '1.1'], ''],
  ])('a client with %s is refused, and the log says why', async (_name, parameters, reason) => {
    const output = await curl('/health', ...parameters())
    expect(output).not.toContain('true')
    if (reason === '') return
    await nodes[0]!.waitForLine(reason)
    const line = nodes[0]!.lines.find((each) => each.includes(reason))
    expect(line).toContain('"msg":"rejected connection on client endpoint"')
  })

  test('a client that says nothing, or half of its hello, is disconnected', async () => {
    const closed = (head: Buffer): Promise<number> =>
      new Promise((resolve) => {
        const startMs = performance.now()
        const socket = connect(clientPort, '127.0.0.1', () => socket.write(head))
        socket.on('error', () => undefined)
        socket.resume()
        socket.once('close', () => {
          resolve(performance.now() - startMs)
        })
      })
    const [silent, half] = await Promise.all([
      closed(Buffer.alloc(0)),
      closed(Buffer.from('1603010200', 'hex')),
    ])
    expect(Math.max(silent, half)).toBeLessThan(12_000)
  })

  test('a renewed certificate is shown from the next connection on', async () => {
    const fresh = await authority.issue('fresh', { commonName: 'fresh-server' })
    copyFileSync(fresh.key, server.key)
    copyFileSync(fresh.cert, server.cert)
    expect(await curl('/health', ...showing(client), '--verbose')).toContain('CN=fresh-server')
    expect(nodes.every((node) => !node.hasExited)).toBe(true)
  })
})
