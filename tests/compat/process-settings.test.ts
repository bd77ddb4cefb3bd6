/**
 * A node whose settings come from a file: what answers on which port, and what the offline commands find in what it
 * leaves behind.
 */
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { HashKVRequest, HashKVResponse } from '../../src/core/proto/gen/rpc.ts'
import { etcdctl } from '../helpers/etcdctl.ts'
import { quoratedProgram, readyLine } from '../helpers/quorated.ts'
import { framed, RawGrpcClient } from '../helpers/raw-grpc.ts'
import { freePorts } from '../helpers/real-etcd.ts'
import { ServerProcess } from '../helpers/server-process.ts'

const execute = promisify(execFile)

let folder: string
let node: ServerProcess
let endpoint: string
let httpUrl: string
let metricsUrl: string
/** As the running node tells it, for the newest revision and for 12. */
let hashes: readonly HashKVResponse[]

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'settings-'))
  const [client, http, metrics, peer] = await freePorts(4)
  endpoint = `127.0.0.1:${client}`
  httpUrl = `http://127.0.0.1:${http}`
  metricsUrl = `http://127.0.0.1:${metrics}`
  const file = join(folder, 'settings.yaml')
  writeFileSync(
    file,
    `name: from-file
data-dir: ${join(folder, 'data')}
wal-dir: ${join(folder, 'log')}
listen-client-urls: http://${endpoint}
advertise-client-urls: http://${endpoint}
listen-client-http-urls: ${httpUrl}
listen-metrics-urls: ${metricsUrl}
listen-peer-urls: http://127.0.0.1:${peer}
initial-advertise-peer-urls: http://127.0.0.1:${peer}
enable-pprof: true
max-wals: 7
colour: red
`,
  )
  node = new ServerProcess(quoratedProgram, {
    args: ['--name=from-line', `--config-file=${file}`],
    cwd: folder,
  })
  await node.waitForLine('serving metrics')
})

afterAll(async () => {
  await node.kill()
  rmSync(folder, { recursive: true, force: true })
})

describe('a node with settings from a file', () => {
  test('is what the file says, and tells what it makes nothing of', () => {
    const records = node.lines.map((line) => JSON.parse(line) as Record<string, unknown>)
    const find = (msg: string): Record<string, unknown> | undefined =>
      records.find((record) => record['msg'] === msg)
    expect(find('starting an etcd server')).toMatchObject({ name: 'from-file' })
    expect(find('unrecognized key in the configuration file')).toMatchObject({ key: 'colour' })
    expect(find('flag is accepted and has no effect on this node')).toMatchObject({
      flag: 'max-wals',
      value: '7',
    })
    expect(records.filter(({ msg }) => msg === readyLine)).toHaveLength(2)
    expect(readdirSync(join(folder, 'log')).some((name) => name.endsWith('.wal'))).toBe(true)
    expect(existsSync(join(folder, 'data', 'member', 'wal'))).toBe(false)
  })

  test('answers for metrics and health alone where only they are wanted', async () => {
    const statusOf = async (path: string): Promise<number> => {
      const response = await fetch(metricsUrl + path)
      await response.arrayBuffer()
      expect(response.headers.get('access-control-allow-origin')).toBeNull()
      return response.status
    }
    for (const path of ['/metrics', '/health', '/livez', '/readyz', '/readyz/non_learner']) {
      expect([path, await statusOf(path)]).toEqual([path, 200])
    }
    for (const path of ['/version', '/debug/vars', '/v3/kv/range', '/debug/pprof/']) {
      expect([path, await statusOf(path)]).toEqual([path, 404])
    }
  })

  test('serves HTTP apart from gRPC', async () => {
    const health = await fetch(`${httpUrl}/health`)
    expect([health.status, await health.text()]).toEqual([200, '{"health":"true","reason":""}'])
    await expect(fetch(`http://${endpoint}/health`)).rejects.toThrow('fetch failed')
    const client = new RawGrpcClient(httpUrl)
    const refused = await client.call('/etcdserverpb.Maintenance/Status', framed(new Uint8Array()))
    expect(refused.code).not.toBe(0)
    client.close()
  })

  test('gives a profile of its processor, and of its memory', async () => {
    const [profile, heap] = [
      await fetch(`${httpUrl}/debug/pprof/profile?seconds=0.1`),
      await fetch(`${httpUrl}/debug/pprof/heap?seconds=0.1`),
    ]
    expect(Object.keys((await profile.json()) as object)).toContain('samples')
    expect(Object.keys((await heap.json()) as object)).toContain('head')
    expect((await fetch(`${httpUrl}/debug/pprof/goroutine`)).status).toBe(404)
  })

  test('says that a request is too large before it has been read', async () => {
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(Number(new URL(httpUrl).port), '127.0.0.1')
      let text = ''
      socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
      socket.on('error', reject)
      socket.on('close', () => {
        resolve(text)
      })
      // Forty times what fits into what is ignored.
      socket.write('GET /health HTTP/1.1\r\nHost: a\r\nContent-Length: 2621440\r\n\r\n')
      socket.write(Buffer.alloc(2_621_440))
    })
    expect(answer).toMatch(/^HTTP\/1\.1 413 /)
    expect(answer).toContain('http: request body too large')
  })
})

describe('offline commands', () => {
  const snapshot = (): string => join(folder, 'saved.db')
  const quorated = (...args: readonly string[]): Promise<{ stdout: string; stderr: string }> =>
    execute(quoratedProgram, [...args], { cwd: folder })

  beforeAll(async () => {
    for (let at = 1; at <= 20; at++) {
      const body = JSON.stringify({ key: btoa(`k${at % 4}`), value: btoa('x'.repeat(at * 1_000)) })
      const response = await fetch(`${httpUrl}/v3/kv/put`, { method: 'POST', body })
      await response.text()
    }
    await etcdctl(['compaction', '10'], { endpoints: endpoint })
    const client = new RawGrpcClient(`http://${endpoint}`)
    hashes = await Promise.all(
      [0n, 12n].map(async (revision) => {
        const request = HashKVRequest.encode(HashKVRequest.create({ revision })).finish()
        const answer = await client.call('/etcdserverpb.Maintenance/HashKV', framed(request))
        return HashKVResponse.decode(answer.messages[0]!)
      }),
    )
    client.close()
    await etcdctl(['snapshot', 'save', snapshot()], { endpoints: endpoint })
  })

  test('hashkv finds in a snapshot what the node says', async () => {
    const [newest, earlier] = hashes
    expect(JSON.parse((await quorated('hashkv', snapshot(), '-w', 'json')).stdout)).toEqual({
      hash: newest?.hash,
      hashRevision: 21,
      compactRevision: 10,
    })
    expect((await quorated('hashkv', snapshot(), '--rev=12')).stdout).toBe(
      `${earlier?.hash.toString(16)}, 12, 10\n`,
    )
    expect((await quorated('hashkv', '--write-out=fields', snapshot())).stdout).toBe(
      `"Hash" : ${newest?.hash}\n"Hash revision" : 21\n"Compact revision" : 10\n`,
    )
    expect((await quorated('hashkv', '-w=table', snapshot())).stdout).toContain('| HASH REVISION |')
  })

  test.each([
    [['hashkv'], 128, 'hashkv command requires exactly one argument'],
    [['hashkv', 'none.db'], 1, 'stat none.db: no such file or directory'],
    [['hashkv', 'saved.db', '--rev=3'], 1, 'required revision has been compacted'],
    [['hashkv', 'saved.db', '-w', 'protobuf'], 4, 'protobuf not supported as output format'],
    [['defrag'], 1, 'required flag(s) "data-dir" not set'],
    [['defrag', '--data-dir', 'none'], 1, 'Failed to defragment etcd data[none]'],
    [['defrag', '--data-dir', 'data'], 1, 'Failed to defragment etcd data[data]'],
  ])('%j ends with code %i', async (args, code, sentence) => {
    const failure = await quorated(...args).then(
      () => undefined,
      (error: unknown) => error as { readonly code: number; readonly stderr: string },
    )
    expect(failure?.code).toBe(code)
    expect(failure?.stderr).toContain(`Error: `)
    expect(failure?.stderr).toContain(sentence)
  })

  test('version tells the version of the interface', async () => {
    expect((await quorated('version')).stdout).toBe('etcdutl version: 3.7.1\nAPI version: 3.7\n')
  })

  test('defrag leaves one database, which the node starts from', async () => {
    node.signal('SIGTERM')
    await node.exited
    const databases = join(folder, 'data', 'member', 'db')
    const before = readdirSync(databases)
    const { stderr } = await quorated('defrag', '--data-dir', 'data')
    expect(stderr).toContain('finished defragmenting directory')
    const after = readdirSync(databases)
    expect(after).toHaveLength(before.length)
    expect(after).not.toEqual(before)
    node = new ServerProcess(quoratedProgram, {
      args: [`--config-file=${join(folder, 'settings.yaml')}`],
      cwd: folder,
    })
    await node.waitForLine(readyLine)
    const { stdout } = await etcdctl(['get', 'k1', '--print-value-only'], { endpoints: endpoint })
    expect(stdout.trim()).toHaveLength(17_000)
  })
})

describe('failpoints', () => {
  const start = async (
    flags: readonly string[],
    environment: Readonly<Record<string, string>>,
  ): Promise<{ readonly process: ServerProcess; readonly url: string }> => {
    const [client, peer] = await freePorts(2)
    const url = `http://127.0.0.1:${client}`
    const process = new ServerProcess(quoratedProgram, {
      args: [
        `--data-dir=${join(folder, 'failing')}`,
        `--listen-client-urls=${url}`,
        `--advertise-client-urls=${url}`,
        `--listen-peer-urls=http://127.0.0.1:${peer}`,
        ...flags,
      ],
      env: { PATH: globalThis.process.env['PATH'] ?? '', ...environment },
    })
    return { process, url }
  }

  test('end the process where they are, and nowhere without the flag', async () => {
    const [port] = await freePorts(1)
    const GOFAIL_HTTP = `127.0.0.1:${port}`
    const failing = await start(['--quorate-failpoints'], { GOFAIL_HTTP })
    await failing.process.waitForLine(readyLine)
    const put = await fetch(`http://${GOFAIL_HTTP}/raftAfterSave`, { method: 'PUT', body: 'panic' })
    expect(put.status).toBe(204)
    const body = JSON.stringify({ key: btoa('kept'), value: btoa('by the log') })
    const unanswered = fetch(`${failing.url}/v3/kv/put`, { method: 'POST', body })
    await expect(unanswered).rejects.toThrow('fetch failed')
    expect(await failing.process.exited).toEqual({ code: null, signal: 'SIGKILL' })

    const variables = { GOFAIL_HTTP, GOFAIL_FAILPOINTS: 'raftBeforeSave=panic' }
    const { process, url } = await start([], variables)
    try {
      await process.waitForLine(readyLine)
      await expect(fetch(`http://${GOFAIL_HTTP}/`)).rejects.toThrow('fetch failed')
      const kept = await etcdctl(['get', 'kept', '--print-value-only'], {
        endpoints: url.replace('http://', ''),
      })
      expect(kept.stdout.trim()).toBe('by the log')
    } finally {
      await process.kill()
    }
  })

  test('slow calls are told of, and a start looks whether defragmenting is worth while', async () => {
    const { process, url } = await start(
      [
        '--warning-apply-duration=0s',
        '--warning-unary-request-duration=0s',
        '--max-learners=2',
        '--bootstrap-defrag-threshold-megabytes=4096',
      ],
      {},
    )
    try {
      await process.waitForLine(readyLine)
      const body = JSON.stringify({ key: btoa('slow'), value: btoa('x') })
      await fetch(`${url}/v3/kv/put`, { method: 'POST', body })
      await process.waitForLine('apply request took too long')
      await process.waitForLine('request stats')
      expect(process.stderr).toContain('Skipping defragmentation')
      expect(process.stderr).not.toContain('has no effect')
      const add = async (port: number): Promise<number> => {
        const learner = { peerURLs: [`http://127.0.0.1:${port}`], isLearner: true }
        const answer = await fetch(`${url}/v3/cluster/member/add`, {
          method: 'POST',
          body: JSON.stringify(learner),
        })
        return answer.status
      }
      expect([await add(11), await add(12), await add(13)]).toEqual([200, 200, 400])
    } finally {
      await process.kill()
    }
  })
})
