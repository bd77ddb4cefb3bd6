import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadConfigFile } from '../../../../src/core/bin/config-file.ts'
import { UsageError, type ParsedFlags } from '../../../../src/core/bin/flags.ts'
import { programConfigOf } from '../../../../src/core/bin/program-config.ts'

let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'config-file-'))
})

afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

async function load(text: string): Promise<ParsedFlags> {
  const path = join(folder, 'settings.yaml')
  writeFileSync(path, text)
  return loadConfigFile(path)
}

async function failureOf(text: string): Promise<string> {
  const error: unknown = await load(text).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(UsageError)
  expect(error).toMatchObject({ exitCode: 1 })
  return (error as UsageError).message
}

describe('the configuration file', () => {
  test('sets what flags set, and leaves the rest at its default', async () => {
    const flags = await load(`
name: first
data-dir: /tmp/first
listen-client-urls: http://127.0.0.1:1,http://127.0.0.1:2
Heartbeat-Interval: 200
election-timeout: 2000
quota-backend-bytes: 8589934592
grpc-keepalive-interval: 5000000000
pre-vote: no
auto-compaction-retention: "1"
log-outputs: [stderr, node.log]
experimental-watch-progress-notify-interval: 1000000
initial-cluster-token:
`)
    const texts = (name: string): string | undefined => flags.texts.get(name)
    expect(texts('name')).toBe('first')
    expect(texts('heartbeat-interval')).toBe('200')
    expect(texts('quota-backend-bytes')).toBe('8589934592')
    expect(texts('grpc-keepalive-interval')).toBe('5000000000ns')
    expect(texts('log-outputs')).toBe('stderr,node.log')
    expect(texts('initial-cluster-token')).toBe('etcd-cluster')
    expect(flags.file?.unknownKeys).toEqual([])
  })

  test('makes a configuration, and needs no advertised URLs', async () => {
    const { node, rpc, log } = programConfigOf(
      await load(
        JSON.stringify({
          name: 'second',
          'listen-client-urls': 'http://127.0.0.1:1',
          'grpc-keepalive-interval': 5_000_000_000,
          'log-level': 'warn',
        }),
      ),
      {},
    )
    expect(node.name).toBe('second')
    expect(node.advertiseClientUrls).toEqual(['http://localhost:2379'])
    expect([...node.initialCluster.keys()]).toEqual(['second'])
    expect(rpc.keepaliveIntervalMs).toBe(5_000)
    expect(log.level).toBe('warn')
  })

  test('TLS and socket options stand in records of their own', async () => {
    const { texts, given, file } = await load(`
client-transport-security:
  cert-file: server.crt
  key-file: server.key
  client-cert-auth: true
  trusted-ca-file: ca.crt
  auto-tls: false
peer-transport-security:
  cert-file: peer.crt
  allowed-cns: [a, b]
  skip-client-san-verification: true
socket-options:
  reuse-port: true
`)
    expect(texts.get('cert-file')).toBe('server.crt')
    expect(texts.get('client-cert-auth')).toBe('true')
    expect(texts.get('peer-cert-file')).toBe('peer.crt')
    expect(texts.get('peer-cert-allowed-cn')).toBe('a,b')
    expect(texts.get('peer-skip-client-san-verification')).toBe('true')
    expect(given.has('socket-reuse-port')).toBe(true)
    expect(file?.unknownKeys).toEqual([])
  })

  test('keys that nobody knows are told, and stop nothing', async () => {
    const { file } = await load('nonsense: 1\nclient-transport-security: { colour: red }\n')
    expect(file?.unknownKeys).toEqual(['nonsense', 'client-transport-security.colour'])
  })

  test('an empty file sets nothing', async () => {
    expect((await load('')).given).toEqual(new Set())
  })

  test.each([
    ['name: [1', 'error converting YAML to JSON'],
    ['[1, 2]', 'cannot unmarshal array into the file'],
    ['election-timeout: soon', 'cannot unmarshal string into election-timeout of type integer'],
    ['grpc-keepalive-interval: 5s', 'cannot unmarshal string into grpc-keepalive-interval'],
    ['pre-vote: 1', 'cannot unmarshal number into pre-vote of type boolean'],
    ['name: { a: 1 }', 'cannot unmarshal object into name of type string'],
    ['peer-transport-security: 5', 'cannot unmarshal number into peer-transport-security'],
    ['heartbeat-interval: 1.5', 'cannot unmarshal number into heartbeat-interval'],
    ['listen-client-urls: nonsense', 'unexpected error setting up listen-client-urls'],
  ])('%s is refused', async (text, sentence) => {
    expect(await failureOf(text)).toContain(sentence)
  })

  test('a file that is not there is named', async () => {
    await expect(loadConfigFile(join(folder, 'none.yaml'))).rejects.toThrow(
      `open ${join(folder, 'none.yaml')}: no such file or directory`,
    )
  })
})
