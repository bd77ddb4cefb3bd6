/**
 * The program as supervisors and test frameworks know it: flags, log lines, signals, exit codes.
 */
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { WatchRequest, StatusResponse, WatchCreateRequest } from '../../src/core/proto/gen/rpc.ts'
import { etcdctl } from '../helpers/etcdctl.ts'
import { QuoratedCluster, quoratedProgram, readyLine } from '../helpers/quorated.ts'
import { framed, RawGrpcClient } from '../helpers/raw-grpc.ts'
import { freePorts } from '../helpers/real-etcd.ts'
import { ServerProcess, type ServerProcessOptions } from '../helpers/server-process.ts'

let folder: string
let clusters: QuoratedCluster[]
let processes: ServerProcess[]

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'program-'))
  clusters = []
  processes = []
})

afterEach(async () => {
  await Promise.all(clusters.map((cluster) => cluster.dispose()))
  await Promise.all(processes.map((process) => process.kill()))
  rmSync(folder, { recursive: true, force: true })
})

function run(args: readonly string[], options: Partial<ServerProcessOptions> = {}): ServerProcess {
  const process = new ServerProcess(quoratedProgram, { args, cwd: folder, ...options })
  processes.push(process)
  return process
}

async function describeCluster(
  size: number,
  flags: readonly string[] = [],
): Promise<QuoratedCluster> {
  const cluster = await QuoratedCluster.describe(size, flags)
  clusters.push(cluster)
  return cluster
}

async function startCluster(size: number, flags: readonly string[] = []): Promise<QuoratedCluster> {
  const cluster = await describeCluster(size, flags)
  await Promise.all(cluster.members.map((member) => member.start()))
  return cluster
}

const put = (endpoints: string, key: string, value: string): Promise<unknown> =>
  etcdctl(['put', key, value], { endpoints })
const get = async (endpoints: string, key: string): Promise<string> =>
  (await etcdctl(['get', key, '--print-value-only'], { endpoints })).stdout.trim()

/** The shortest of several times from a start to an end: the machine may be busy during one of them, not during all. */
async function shortestMs(program: string): Promise<number> {
  const timesMs: number[] = []
  while (timesMs.length < 5) {
    const process = new ServerProcess(program, { args: ['--version'], cwd: folder })
    processes.push(process)
    await process.exited
    timesMs.push(performance.now() - process.startedMs)
  }
  return Math.min(...timesMs)
}

describe('version and help', () => {
  test('--version prints etcd’s line first, and ours, before a runtime would have started', async () => {
    const process = run(['--version'])
    expect(await process.exited).toEqual({ code: 0, signal: null })
    expect(await shortestMs(quoratedProgram)).toBeLessThan(await shortestMs('node'))
    expect(process.lines[0]).toBe('etcd Version: 3.7.1')
    expect(process.stdout).toMatch(/^Quorate Version: \d+\.\d+\.\d+$/m)
    expect(process.stderr).toBe('')
  })

  test('--version tells the version that is to be reported', async () => {
    const process = run(['--version'], {
      env: {
        PATH: globalThis.process.env['PATH'] ?? '',
        ETCD_QUORATE_REPORTED_VERSION: '3.5.21',
      },
    })
    expect(await process.exited).toEqual({ code: 0, signal: null })
    expect(process.lines[0]).toBe('etcd Version: 3.5.21')
  })

  test.each(['--help', '-h'])(
    '%s prints the usage on stderr and the flags on stdout',
    async (word) => {
      const process = run([word])
      expect(await process.exited).toEqual({ code: 0, signal: null })
      expect(process.stderr).toContain('Usage:')
      expect(process.stdout).toContain('--listen-client-urls')
    },
  )
})

describe('a start that cannot succeed', () => {
  test.each([
    [['--nonsense'], 2, 'flag provided but not defined: -nonsense'],
    [['--heartbeat-interval=soon'], 2, 'invalid value "soon" for flag -heartbeat-interval'],
    [['--listen-client-urls=http://nowhere'], 2, 'URL address does not have the form "host:port"'],
    [['positional'], 1, "'positional' is not a valid flag"],
    [['--log-level=loud'], 1, 'unrecognized level: "loud"'],
    [
      ['--peer-cert-file=server.crt'],
      1,
      'KeyFile and CertFile must both be present[key: , cert: server.crt]',
    ],
    [['--name=a', '--initial-cluster=b=http://localhost:2380'], 1, 'couldn\'t find local name "a"'],
  ])('%j ends with code %i and one plain sentence', async (args, code, sentence) => {
    const [client, peer] = await freePorts(2)
    const urls = [
      `--listen-client-urls=http://127.0.0.1:${client}`,
      `--advertise-client-urls=http://127.0.0.1:${client}`,
      `--listen-peer-urls=http://127.0.0.1:${peer}`,
    ]
    const process = run([...urls, ...args])
    expect(await process.exited).toEqual({ code, signal: null })
    expect(process.lines.at(-1)).toContain(sentence)
    expect(process.lines.at(-1)).not.toMatch(/^\{/)
    expect(process.stderr).not.toContain('    at ')
  })

  test('a client port in use is named, and the data directory is not touched', async () => {
    const blocker = createServer()
    await new Promise<void>((resolve) => blocker.listen(0, '127.0.0.1', resolve))
    const { port } = blocker.address() as { port: number }
    const cluster = await describeCluster(1, [
      `--listen-client-urls=http://127.0.0.1:${port}`,
      `--advertise-client-urls=http://127.0.0.1:${port}`,
    ])
    const process = cluster.members[0]!.spawn()
    expect(await process.exited).toEqual({ code: 1, signal: null })
    expect(process.lines.at(-1)).toContain(
      `listen tcp 127.0.0.1:${port}: bind: address already in use`,
    )
    expect(() => statSync(join(cluster.members[0]!.dataDirectory, 'member'))).toThrow('ENOENT')
    blocker.close()
  })

  test('a peer port in use is named', async () => {
    const blocker = createServer()
    await new Promise<void>((resolve) => blocker.listen(0, '127.0.0.1', resolve))
    const { port } = blocker.address() as { port: number }
    const cluster = await describeCluster(1, [`--listen-peer-urls=http://127.0.0.1:${port}`])
    const process = cluster.members[0]!.spawn()
    expect(await process.exited).toEqual({ code: 1, signal: null })
    expect(process.lines.at(-1)).toContain('address already in use')
    blocker.close()
  })

  test('a data directory that another node uses is refused, and that node goes on', async () => {
    const cluster = await startCluster(1)
    const [member] = cluster.members
    await put(member!.clientUrl, 'a', 'kept')
    const [client, peer] = await freePorts(2)
    const second = run([
      '--name=node1',
      `--data-dir=${member!.dataDirectory}`,
      `--listen-client-urls=http://127.0.0.1:${client}`,
      `--advertise-client-urls=http://127.0.0.1:${client}`,
      `--listen-peer-urls=http://127.0.0.1:${peer}`,
      `--initial-cluster=node1=${member!.peerUrl}`,
      `--initial-advertise-peer-urls=${member!.peerUrl}`,
    ])
    expect(await second.exited).toEqual({ code: 1, signal: null })
    expect(second.lines.at(-1)).toContain(member!.dataDirectory)
    expect(await get(member!.clientUrl, 'a')).toBe('kept')
  })

  test('a data directory that is a file is refused', async () => {
    const cluster = await describeCluster(1)
    writeFileSync(cluster.members[0]!.dataDirectory, 'a file')
    const process = cluster.members[0]!.spawn()
    expect(await process.exited).toEqual({ code: 1, signal: null })
    expect(process.lines.at(-1)).toContain(cluster.members[0]!.dataDirectory)
    expect(readFileSync(cluster.members[0]!.dataDirectory, 'utf8')).toBe('a file')
  })

  test('a variable beside its flag is a conflict', async () => {
    const process = run(['--name=a'], {
      env: { PATH: globalThis.process.env['PATH'] ?? '', ETCD_NAME: 'b' },
    })
    expect(await process.exited).toEqual({ code: 1, signal: null })
    expect(process.lines.at(-1)).toContain('"ETCD_NAME" is shadowed')
  })
})

describe('a normal life', () => {
  test('log lines are JSON with etcd’s fields, readiness is told, nothing is an error', async () => {
    const cluster = await startCluster(1)
    const [member] = cluster.members
    await put(member!.clientUrl, 'a', '1')
    await member!.stop()
    const { lines, stdout } = member!.process
    expect(stdout).toBe('')
    const records = lines.map((line) => JSON.parse(line) as Record<string, string>)
    for (const record of records) {
      expect(record['ts']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d{4})$/)
      expect(record['caller']).toBeTypeOf('string')
      expect(['debug', 'info', 'warn']).toContain(record['level'])
    }
    const messages = records.map((record) => record['msg'])
    for (const message of [
      readyLine,
      'published local member to cluster through raft',
      'serving client traffic insecurely; this is strongly discouraged!',
      'received signal; shutting down',
      'closing etcd server',
      'closed etcd server',
    ]) {
      expect(messages.filter((each) => each === message)).toEqual([message])
    }
    expect(lines.find((line) => line.includes('"snapshot-catchup-entries":5000'))).toBeDefined()
  })

  test('/health answers true once it is ready, and /version and /readyz answer', async () => {
    const cluster = await startCluster(1)
    const { clientUrl } = cluster.members[0]!
    const health = await fetch(`${clientUrl}/health`)
    expect([health.status, await health.text()]).toEqual([200, '{"health":"true","reason":""}'])
    expect(await (await fetch(`${clientUrl}/version`)).json()).toEqual({
      etcdserver: '3.7.1',
      etcdcluster: '3.7.0',
      storage: '3.7.0',
    })
    expect(await (await fetch(`${clientUrl}/readyz`)).text()).toBe('ok\n')
    expect((await fetch(`${clientUrl}/livez/serializable_read`)).status).toBe(200)
    expect((await fetch(`${clientUrl}/readyz/nothing`)).status).toBe(404)
    const wrongMethod = await fetch(`${clientUrl}/health`, { method: 'POST' })
    expect([wrongMethod.status, wrongMethod.headers.get('allow')]).toEqual([405, 'GET'])
    expect(await (await fetch(`${clientUrl}/nothing`)).text()).toBe('404 page not found\n')
  })

  test('the data directory is made with mode 0700, and data outlives SIGTERM and SIGKILL', async () => {
    const cluster = await startCluster(1)
    const [member] = cluster.members
    expect(statSync(member!.dataDirectory).mode & 0o777).toBe(0o700)
    await put(member!.clientUrl, 'a', 'first')
    expect(await member!.stop()).toEqual({ code: null, signal: 'SIGTERM' })
    await member!.start()
    expect(await get(member!.clientUrl, 'a')).toBe('first')
    await put(member!.clientUrl, 'a', 'second')
    await member!.kill()
    await member!.start()
    expect(await get(member!.clientUrl, 'a')).toBe('second')
  })

  test('it runs with PATH alone, through a symbolic link, from another folder', async () => {
    const link = join(folder, 'linked')
    symlinkSync(quoratedProgram, link)
    mkdirSync(join(folder, 'elsewhere'))
    const [client, peer] = await freePorts(2)
    const process = new ServerProcess(link, {
      args: [],
      cwd: join(folder, 'elsewhere'),
      env: {
        PATH: globalThis.process.env['PATH'] ?? '',
        ETCD_NAME: 'variable',
        ETCD_LISTEN_CLIENT_URLS: `http://127.0.0.1:${client}`,
        ETCD_ADVERTISE_CLIENT_URLS: `http://127.0.0.1:${client}`,
        ETCD_LISTEN_PEER_URLS: `http://127.0.0.1:${peer}`,
        ETCD_INITIAL_ADVERTISE_PEER_URLS: `http://127.0.0.1:${peer}`,
        ETCD_INITIAL_CLUSTER: `variable=http://127.0.0.1:${peer}`,
        ETCD_SOMETHING_ELSE: '1',
      },
    })
    processes.push(process)
    await process.waitForLine(readyLine)
    expect(statSync(join(folder, 'elsewhere', 'variable.etcd')).isDirectory()).toBe(true)
    expect(await process.waitForLine('unrecognized environment variable')).toContain(
      'ETCD_SOMETHING_ELSE',
    )
    process.signal('SIGINT')
    expect(await process.exited).toEqual({ code: null, signal: 'SIGINT' })
  })

  test('console format, a level and a file for the log', async () => {
    const file = join(folder, 'node.log')
    const cluster = await describeCluster(1, [
      '--log-format=console',
      '--log-level=warn',
      `--log-outputs=stderr,${file}`,
    ])
    const [member] = cluster.members
    member!.spawn()
    await expect
      .poll(
        () =>
          fetch(`${member!.clientUrl}/health`).then(
            (answer) => answer.ok,
            () => false,
          ),
        {
          timeout: 20_000,
        },
      )
      .toBe(true)
    await member!.stop()
    expect(member!.process.stderr).not.toContain(readyLine)
    expect(readFileSync(file, 'utf8')).toBe(member!.process.stderr)
  })

  test('a port 0 is chosen and told', async () => {
    const [peer] = await freePorts(1)
    const process = run([
      '--listen-client-urls=http://127.0.0.1:0',
      '--advertise-client-urls=http://127.0.0.1:0',
      `--listen-peer-urls=http://127.0.0.1:${peer}`,
      `--initial-advertise-peer-urls=http://127.0.0.1:${peer}`,
      `--initial-cluster=default=http://127.0.0.1:${peer}`,
    ])
    const line = await process.waitForLine('serving client traffic')
    const { address } = JSON.parse(line) as { address: string }
    expect((await fetch(`http://${address}/health`)).status).toBe(200)
  })

  test('a socket file serves clients', async () => {
    const path = join(folder, 'client.sock')
    const cluster = await describeCluster(1, [
      `--listen-client-urls=unix://${path}`,
      `--advertise-client-urls=unix://${path}`,
    ])
    await cluster.members[0]!.start()
    // etcdctl 3.4 sends the path as HTTP/2 authority, which Node's HTTP/2 refuses; later clients send "localhost".
    const client = new RawGrpcClient(`unix://${path}`)
    expect(
      await client.call('/etcdserverpb.Maintenance/Status', framed(new Uint8Array())),
    ).toMatchObject({ code: 0 })
    client.close()
  })
})

describe('SIGTERM', () => {
  test('open streams end with a status, and the process is gone in 1.5 s', async () => {
    const cluster = await startCluster(1)
    const [member] = cluster.members
    const client = new RawGrpcClient(member!.clientUrl)
    const watch = client.open('/etcdserverpb.Watch/Watch')
    watch.send(
      WatchRequest.encode({
        requestUnion: {
          $case: 'createRequest',
          value: WatchCreateRequest.create({ key: Buffer.from('a') }),
        },
      }).finish(),
    )
    await watch.next()
    const startMs = performance.now()
    expect(await member!.stop()).toEqual({ code: null, signal: 'SIGTERM' })
    expect(performance.now() - startMs).toBeLessThan(1_500)
    expect(await watch.answer).toMatchObject({ code: 14, text: 'etcdserver: server stopped' })
    client.close()
  })

  test('a leader hands over: another leads before an election falls due, at the next term', async () => {
    const [heartbeatMs, electionMs] = [100, 4_000]
    const cluster = await startCluster(3, [
      `--heartbeat-interval=${String(heartbeatMs)}`,
      `--election-timeout=${String(electionMs)}`,
    ])
    const statusOf = async (url: string): Promise<StatusResponse> => {
      const client = new RawGrpcClient(url)
      const answer = await client.call('/etcdserverpb.Maintenance/Status', framed(new Uint8Array()))
      client.close()
      return StatusResponse.decode(answer.messages[0]!)
    }
    const before = await statusOf(cluster.clientUrls[0]!)
    const statuses = await Promise.all(cluster.clientUrls.map((url) => statusOf(url)))
    const position = statuses.findIndex((status) => status.header?.memberId === before.leader)
    const leader = cluster.members[position]!
    const others = cluster.members.filter((member) => member !== leader)
    const startMs = performance.now()
    leader.process.signal('SIGTERM')
    await expect
      .poll(
        async () => {
          const { leader: now } = await statusOf(others[0]!.clientUrl)
          return now !== 0n && now !== before.leader
        },
        { interval: 20, timeout: 20_000 },
      )
      .toBe(true)
    expect(performance.now() - startMs).toBeLessThan(electionMs - heartbeatMs)
    expect((await statusOf(others[0]!.clientUrl)).raftTerm).toBe(before.raftTerm + 1n)
    expect(await leader.process.exited).toEqual({ code: null, signal: 'SIGTERM' })
    expect(await put(others.map(({ clientUrl }) => clientUrl).join(','), 'a', '1')).toMatchObject({
      code: 0,
    })
  })

  test('a node that waits for its first quorum stops as well', async () => {
    const cluster = await describeCluster(3)
    const process = cluster.members[0]!.spawn()
    await process.waitForLine('starting an etcd server')
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    expect(process.hasExited).toBe(false)
    process.signal('SIGTERM')
    expect(await process.exited).toEqual({ code: null, signal: 'SIGTERM' })
    expect(process.stderr).not.toContain('"level":"error"')
  })
})
