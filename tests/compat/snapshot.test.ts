/** Saved snapshots are etcd database files: each system reads, verifies and restores what the other one saved. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { SnapshotResponse } from '../../src/core/proto/gen/rpc.ts'
import { etcdctl } from '../helpers/etcdctl.ts'
import { quoratedProgram, readyLine } from '../helpers/quorated.ts'
import { framed, RawGrpcClient } from '../helpers/raw-grpc.ts'
import { freePorts } from '../helpers/real-etcd.ts'
import { ServerProcess } from '../helpers/server-process.ts'

/** A server with the tool that reads and restores its snapshots. */
interface System {
  readonly name: string
  readonly server: string
  readonly tool: string
}

const newerBin = fileURLToPath(
  new URL('../../node_modules/.cache/etcd-3.5/usr/bin', import.meta.url),
)
const quorate: System = { name: 'quorate', server: quoratedProgram, tool: quoratedProgram }
const etcd: System = { name: 'etcd', server: 'etcd', tool: 'etcdctl' }
const newerEtcd: System = {
  name: 'etcd 3.5',
  server: join(newerBin, 'etcd'),
  tool: join(newerBin, 'etcdutl'),
}
const realSystems = existsSync(newerEtcd.tool) ? [etcd, newerEtcd] : [etcd]

let folder = ''
let ports: readonly number[] = []
let servers: ServerProcess[] = []
const path = (name: string): string => join(folder, name)
const clientUrl = (member: number): string => `http://127.0.0.1:${ports[member * 2]!}`
const peerUrl = (member: number): string => `http://127.0.0.1:${ports[member * 2 + 1]!}`

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'snapshot-compat-'))
  ports = await freePorts(6)
})

afterEach(async () => {
  await Promise.all(servers.map((server) => server.kill()))
  servers = []
})

afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

interface Place {
  readonly directory: string
  readonly member: number
  readonly size: number
}

function clusterFlags({ member, size }: Pick<Place, 'member' | 'size'>): string[] {
  const members = Array.from({ length: size }, (_, at) => `m${at}=${peerUrl(at)}`)
  return [
    `--name=m${member}`,
    `--initial-advertise-peer-urls=${peerUrl(member)}`,
    `--initial-cluster=${members.join(',')}`,
  ]
}

async function start(system: System, places: readonly Place[]): Promise<void> {
  await Promise.all(
    places.map((place) => {
      const { directory, member } = place
      const server = new ServerProcess(system.server, {
        args: [
          ...clusterFlags(place),
          `--data-dir=${path(directory)}`,
          `--listen-client-urls=${clientUrl(member)}`,
          `--advertise-client-urls=${clientUrl(member)}`,
          `--listen-peer-urls=${peerUrl(member)}`,
        ],
      })
      servers.push(server)
      return server.waitForLine(readyLine)
    }),
  )
}

async function stop(): Promise<void> {
  await Promise.all(
    servers.map((server) => {
      server.signal('SIGTERM')
      return server.exited
    }),
  )
  servers = []
}

/** Runs a tool on files. */
function runTool(
  tool: string,
  words: readonly string[],
): { code: number; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(tool, words, {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] ?? '', ETCDCTL_API: '3' },
  })
  return { code: status ?? -1, stdout, stderr }
}

function restore(system: System, file: string, place: Place, flags: readonly string[] = []): void {
  const directory = `--data-dir=${path(place.directory)}`
  const words = ['snapshot', 'restore', path(file), directory, ...clusterFlags(place), ...flags]
  const result = runTool(system.tool, words)
  if (result.code !== 0) throw new Error(result.stderr)
}

/** Verified and summed up; the version is told by newer tools only. */
function statusOf(system: System, file: string): Record<string, unknown> {
  const result = runTool(system.tool, ['snapshot', 'status', path(file), '-w', 'json'])
  if (result.code !== 0) throw new Error(result.stderr)
  const { hash, revision, totalKey, totalSize } = JSON.parse(result.stdout) as Record<
    string,
    unknown
  >
  return { hash, revision, totalKey, totalSize }
}

async function call(
  words: readonly string[],
  options: { member?: number; input?: string } = {},
): Promise<string> {
  const result = await etcdctl(words, {
    endpoints: clientUrl(options.member ?? 0),
    ...(options.input === undefined ? {} : { input: options.input }),
  })
  if (result.code !== 0) throw new Error(`etcdctl ${words.join(' ')}: ${result.stderr}`)
  return result.stdout
}

/** Keys with several lives, a transaction, a value of many pages, and a compaction in the middle. */
async function fill(): Promise<void> {
  for (let number = 0; number < 30; number++) await call(['put', `k${number % 12}`, `v${number}`])
  await call(['del', 'k3'])
  await call(['put', 'k3', 'another life'])
  await call(['txn'], { input: '\nput a 1\nput b 2\ndel k4\n\n\n' })
  await call(['compaction', '25', '--physical'])
  await call(['put', 'long', 'x'.repeat(30_000)])
  await call(['put', 'y'.repeat(3_000), 'a long key'])
  await call(['del', 'k7'])
}

const compactedRevision = 25

/** Every key at every revision that is left, and what is answered below. */
async function historyOf(member = 0): Promise<unknown[]> {
  const all = ['get', '', '--from-key', '-w', 'json']
  const newest = JSON.parse(await call(all, { member })) as { header: { revision: number } }
  const answers: unknown[] = [newest.header.revision]
  for (let revision = compactedRevision; revision <= newest.header.revision; revision++) {
    const text = await call([...all, `--rev=${revision}`], { member })
    const { kvs, count } = JSON.parse(text) as { kvs?: unknown[]; count?: number }
    answers.push({ revision, kvs, count })
  }
  const below = await etcdctl([...all, `--rev=${compactedRevision - 1}`], {
    endpoints: clientUrl(member),
  })
  answers.push(below.stderr.trim().split('\n').at(-1))
  return answers
}

async function hashOf(member = 0): Promise<unknown> {
  const [answer] = JSON.parse(await call(['endpoint', 'hashkv', '-w', 'json'], { member })) as {
    HashKV: { hash: number; compact_revision: number }
  }[]
  return [answer!.HashKV.hash, answer!.HashKV.compact_revision]
}

const alone = (directory: string): Place => ({ directory, member: 0, size: 1 })

describe.each(realSystems)('a snapshot of ours, for $name', (system) => {
  const saved = `ours-for-${system.name}.db`
  let history: unknown
  let hash: unknown

  beforeAll(async () => {
    await start(quorate, [alone(`source-${system.name}`)])
    await fill()
    history = await historyOf()
    hash = await hashOf()
    await call(['snapshot', 'save', path(saved)])
    await stop()
  })

  test('has the form of the stream, and leaves nothing behind', () => {
    expect(readFileSync(path(saved)).length % 512).toBe(32)
    const names = readdirSync(path(`source-${system.name}/member/snap`))
    expect(names.filter((name) => name.includes('db'))).toEqual([])
  })

  test('is verified and summed up by its tool as by ours', () => {
    expect(statusOf(system, saved)).toEqual(statusOf(quorate, saved))
    expect(statusOf(system, saved)['revision']).toBe((history as number[])[0])
  })

  test('is served by it with the same history after a restore, and can be written to', async () => {
    restore(system, saved, alone(`restored-${system.name}`))
    await start(system, [alone(`restored-${system.name}`)])
    expect(await historyOf()).toEqual(history)
    expect(await hashOf()).toEqual(hash)
    // Everything but the newest goes: pages that we laid out are emptied and joined.
    for (let number = 0; number < 20; number++) await call(['put', 'k1', String(number)])
    await call(['del', '', '--from-key'])
    const { header } = JSON.parse(await call(['put', 'last', 'one', '-w', 'json'])) as {
      header: { revision: number }
    }
    await call(['compaction', String(header.revision), '--physical'])
    await call(['defrag'])
    expect(await call(['get', '', '--from-key'])).toBe('last\none\n')
  })
})

describe.each(realSystems)('a snapshot of $name', (system) => {
  const saved = `of-${system.name}.db`
  let history: unknown
  let hash: unknown

  beforeAll(async () => {
    await start(system, [alone(`etcd-source-${system.name}`)])
    await fill()
    await call(['lease', 'grant', '5000'])
    const [lease] = (await call(['lease', 'list'])).split('\n').slice(1)
    await call(['put', 'held', 'by a lease', `--lease=${lease!}`])
    await call(['user', 'add', 'root:secret'])
    await call(['role', 'add', 'reader'])
    await call(['role', 'grant-permission', 'reader', 'read', 'a', 'c'])
    await call(['user', 'grant-role', 'root', 'root'])
    history = await historyOf()
    hash = await hashOf()
    await call(['snapshot', 'save', path(saved)])
    await stop()
  })

  test('is summed up by ours as by its own tool', () => {
    expect(statusOf(quorate, saved)).toEqual(statusOf(system, saved))
  })

  test('is served by ours with the same history after a restore', async () => {
    restore(quorate, saved, alone(`ours-${system.name}`))
    await start(quorate, [alone(`ours-${system.name}`)])
    expect(await historyOf()).toEqual(history)
    expect(await hashOf()).toEqual(hash)
    const members = JSON.parse(await call(['member', 'list', '-w', 'json'])) as {
      members: { name: string; peerURLs: string[] }[]
    }
    expect(members.members).toHaveLength(1)
    expect(members.members[0]).toMatchObject({ name: 'm0', peerURLs: [peerUrl(0)] })
  })

  test('keeps leases, users and roles on the way through ours and back', async () => {
    restore(quorate, saved, alone(`through-${system.name}`))
    await start(quorate, [alone(`through-${system.name}`)])
    await call(['snapshot', 'save', path(`back-${saved}`)])
    await stop()
    restore(system, `back-${saved}`, alone(`back-${system.name}`))
    await start(system, [alone(`back-${system.name}`)])
    expect(await historyOf()).toEqual(history)
    const [lease] = (await call(['lease', 'list'])).split('\n').slice(1)
    expect(await call(['lease', 'timetolive', lease!, '--keys'])).toContain('attached keys([held])')
    expect(await call(['user', 'get', 'root'])).toContain('Roles: root')
    expect(await call(['role', 'get', 'reader'])).toContain('[a, c)')
  })

  test('becomes three members of ours, each with the same hash', async () => {
    const places = [0, 1, 2].map((member) => ({
      directory: `three-${system.name}-${member}`,
      member,
      size: 3,
    }))
    for (const place of places) restore(quorate, saved, place)
    await start(quorate, places)
    await call(['put', 'after', 'the restore'])
    for (const { member } of places) {
      expect(await call(['get', 'after'], { member })).toBe('after\nthe restore\n')
    }
    expect(await hashOf(1)).toEqual(await hashOf(0))
    expect(await hashOf(2)).toEqual(await hashOf(0))
    expect((await historyOf(1)).slice(1, 10)).toEqual((history as unknown[]).slice(1, 10))
  })
})

describe('the stream of a snapshot', () => {
  test.each([etcd, quorate])(
    'of $name: pieces of 32 KiB, the rest counted down, and the digest as the last',
    async (system) => {
      await start(system, [alone(`stream-${system.name}`)])
      await call(['put', 'k'], { input: 'x'.repeat(300_000) })
      const client = new RawGrpcClient(clientUrl(0))
      const answer = await client.call(
        '/etcdserverpb.Maintenance/Snapshot',
        framed(new Uint8Array(0)),
      )
      client.close()
      expect([answer.code, answer.text, answer.resetCode]).toEqual([0, '', 0])
      const pieces = answer.messages.map((message) => SnapshotResponse.decode(message))
      const digest = pieces.pop()!
      const blobs = pieces.map((piece) => piece.blob)
      const sizeBytes = blobs.reduce((sum, blob) => sum + blob.length, 0)
      expect(sizeBytes % 4_096).toBe(0)
      expect(new Set(blobs.slice(0, -1).map((blob) => blob.length))).toEqual(new Set([32_768]))
      let remaining = sizeBytes
      for (const { blob, remainingBytes, header } of pieces) {
        remaining -= blob.length
        expect(Number(remainingBytes)).toBe(remaining)
        expect(header).toBeUndefined()
      }
      expect(digest.remainingBytes).toBe(0n)
      expect(Buffer.from(digest.blob)).toEqual(
        createHash('sha256').update(Buffer.concat(blobs)).digest(),
      )
    },
  )
})

describe('restoring with a raised revision', () => {
  test('goes on behind it, and refuses what was before as compacted', async () => {
    await start(etcd, [alone('bump-source')])
    await fill()
    const newest = (await historyOf())[0] as number
    const pairs = await call(['get', '', '--from-key'])
    await call(['snapshot', 'save', path('bump.db')])
    await stop()
    restore(quorate, 'bump.db', alone('bump'), ['--bump-revision=1000', '--mark-compacted'])
    await start(quorate, [alone('bump')])
    const answer = await call(['get', '', '--from-key', '-w', 'json'])
    expect((JSON.parse(answer) as { header: { revision: number } }).header.revision).toBe(
      newest + 1_000,
    )
    expect(await call(['get', '', '--from-key'])).toBe(pairs)
    const old = await etcdctl(['get', 'k1', `--rev=${newest + 999}`], { endpoints: clientUrl(0) })
    expect(old.stderr).toContain('required revision has been compacted')
    // And once more through a file of ours, read by etcd.
    await call(['snapshot', 'save', path('bumped.db')])
    await stop()
    restore(etcd, 'bumped.db', alone('bumped'))
    await start(etcd, [alone('bumped')])
    expect(await call(['get', '', '--from-key'])).toBe(pairs)
  })

  test.skipIf(!existsSync(newerEtcd.tool))('of etcd is understood by ours', async () => {
    restore(newerEtcd, 'bump.db', alone('etcd-bump'), ['--bump-revision=1000', '--mark-compacted'])
    await start(newerEtcd, [alone('etcd-bump')])
    await call(['snapshot', 'save', path('etcd-bumped.db')])
    const pairs = await call(['get', '', '--from-key', '-w', 'json'])
    await stop()
    restore(quorate, 'etcd-bumped.db', alone('ours-bumped'))
    await start(quorate, [alone('ours-bumped')])
    const own = JSON.parse(await call(['get', '', '--from-key', '-w', 'json'])) as {
      header: { revision: number }
      kvs: unknown
    }
    const theirs = JSON.parse(pairs) as typeof own
    expect(own.kvs).toEqual(theirs.kvs)
    expect(own.header.revision).toBe(theirs.header.revision)
  })
})

describe('a damaged file', () => {
  test('is refused by status and restore, and leaves no member behind', () => {
    const bytes = readFileSync(path('bump.db'))
    const refused = (name: string, content: Uint8Array): string => {
      writeFileSync(path(name), content)
      const directory = path(`refused-${name}`)
      const words = ['snapshot', 'restore', path(name), `--data-dir=${directory}`]
      const result = runTool(quorate.tool, words)
      expect(result.code).toBe(1)
      expect(existsSync(join(directory, 'member'))).toBe(false)
      return result.stderr.trim().split('\n').at(-1)!
    }
    const flipped = Buffer.from(bytes)
    flipped[9_000] = flipped[9_000]! ^ 1
    expect(refused('flipped.db', flipped)).toMatch(
      /^Error: expected sha256 \[[\d ]+\], got \[[\d ]+\]$/,
    )
    expect(refused('cut.db', bytes.subarray(0, 20_001))).toBe(
      'Error: snapshot missing hash but --skip-hash-check=false',
    )
    expect(refused('text.db', Buffer.from('no database'))).toContain('snapshot missing hash')
  })
})
