/**
 * The end of the write-ahead log cut at every byte of its last three records, beside a database that knows nothing, less
 * than the log, or more than what is left of it. The node starts, has every acknowledged write whose record lies before the
 * cut, and takes new writes that outlive another restart.
 */
import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { silentLogger, type LogFields, type Logger } from '../../src/core/base/logger.ts'
import { nodeFileSystem } from '../../src/core/io/node-file-system.ts'
import type { StoreNode } from '../../src/core/node/store-node.ts'
import { PutRequest, RangeRequest } from '../../src/core/proto/gen/rpc.ts'
import { lengthWordBytes, recordKinds, type LogRecord } from '../../src/core/wal/record.ts'
import { readLog } from '../../src/core/wal/record-decoder.ts'
import { listSegments } from '../../src/core/wal/segment.ts'
import { etcdctl } from '../helpers/etcdctl.ts'
import { bytes, eventually, NodeFixture, text } from '../helpers/node-fixture.ts'
import { QuoratedCluster } from '../helpers/quorated.ts'

/** Small, so that a copy of the log costs little. */
const walSegmentSizeBytes = 64 * 1024

interface Frame {
  readonly startBytes: number
  readonly endBytes: number
  /** The key written by it, when it is the entry of a put of this test. */
  readonly key: string | undefined
}

interface LogFile {
  readonly path: string
  readonly frames: readonly Frame[]
}

/** The last segment in a log's directory and the frames in it. */
async function readLastSegment(directory: string): Promise<LogFile> {
  const records: LogRecord[] = []
  const segments = await listSegments(nodeFileSystem, directory)
  const end = await readLog({ fileSystem: nodeFileSystem, directory }, segments, (record) => {
    records.push({ ...record, data: record.data.slice() })
  })
  const path = join(directory, end.segment.name)
  const inLast = records.filter((record) => record.segmentPath === path)
  const frames = inLast.map((record, position) => ({
    startBytes: record.offsetBytes,
    endBytes: inLast[position + 1]?.offsetBytes ?? end.offsetBytes,
    key:
      record.kind === recordKinds.entry
        ? /key-\d{3}/.exec(Buffer.from(record.data).toString('latin1'))?.[0]
        : undefined,
  }))
  return { path, frames }
}

function valueOf(key: string): string {
  return `value of ${key}`
}

async function put(node: StoreNode, key: string): Promise<void> {
  await node.put(PutRequest.fromPartial({ key: bytes(key), value: bytes(valueOf(key)) }))
}

async function readAll(node: StoreNode): Promise<Map<string, string>> {
  const request = RangeRequest.fromPartial({ key: bytes('\0'), rangeEnd: bytes('\0') })
  const { keyValues } = await node.range(request)
  return new Map(keyValues.map((pair) => [text(pair.key), text(pair.value)]))
}

function keyOf(number: number): string {
  return `key-${String(number).padStart(3, '0')}`
}

/** Warnings, with everything they say, as lines. */
function collecting(lines: string[]): Logger {
  const logger: Logger = {
    ...silentLogger,
    warn: (message: string, fields?: LogFields) => {
      lines.push(`${message} ${JSON.stringify(fields)}`)
    },
    with: () => logger,
  }
  return logger
}

/** Every file below a directory with the hash of its content; LMDB's lock file carries nothing. */
function fingerprint(directory: string): Record<string, string> {
  const files: Record<string, string> = {}
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort()) {
    if (!/\.(wal|mdb|snap)$|CURRENT/.test(name) || name.endsWith('lock.mdb')) continue
    files[name] = createHash('sha256')
      .update(readFileSync(join(directory, name)))
      .digest('hex')
  }
  return files
}

let scratch: string
let warnings: string[]
let fixture: NodeFixture

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'quorate-torn-'))
  warnings = []
})

afterEach(async () => {
  await fixture.dispose()
  rmSync(scratch, { recursive: true, force: true })
})

function makeFixture(memberCount: number): void {
  fixture = new NodeFixture(memberCount, { walSegmentSizeBytes }, { logger: collecting(warnings) })
}

const memberDirectory = (name: string): string => join(fixture.directory, name, 'member')

/** Keeps the parts of a member's directory that survive its death. */
function keep(name: string, as: string): void {
  for (const part of ['wal', 'snap', 'db']) {
    const source = join(memberDirectory(name), part)
    if (existsSync(source)) cpSync(source, join(scratch, as, part), { recursive: true })
  }
}

/** Makes a member's directory anew: log and snapshots of one moment, the database of another. */
function restore(name: string, from: { readonly log: string; readonly database?: string }): void {
  const target = memberDirectory(name)
  rmSync(target, { recursive: true, force: true })
  mkdirSync(target, { recursive: true })
  for (const part of ['wal', 'snap']) {
    cpSync(join(scratch, from.log, part), join(target, part), { recursive: true })
  }
  if (from.database === undefined) return
  cpSync(join(scratch, from.database, 'db'), join(target, 'db'), { recursive: true })
}

type Cut = 'shortened' | 'zeroed'

/** Cuts a file, or leaves zeros from there on, as a preallocated segment has them that was not written to the end. */
function cutFile(path: string, offsetBytes: number, cut: Cut): void {
  if (cut === 'shortened') {
    truncateSync(path, offsetBytes)
    return
  }
  writeFileSync(path, readFileSync(path).fill(0, offsetBytes))
}

describe('a node whose log was cut', () => {
  const earlyCount = 6
  const writeCount = 14
  let log: LogFile

  /** One node that wrote one key after the other and died; its database of an earlier moment is kept as well. */
  async function writeAndDie(): Promise<void> {
    makeFixture(1)
    let node = await fixture.start('node1')
    await node.ready
    for (let number = 0; number < earlyCount; number++) await put(node, keyOf(number))
    await fixture.stop('node1')
    keep('node1', 'early')
    node = await fixture.start('node1')
    await node.ready
    for (let number = earlyCount; number < writeCount; number++) await put(node, keyOf(number))
    await fixture.kill('node1')
    keep('node1', 'late')
    log = await readLastSegment(join(memberDirectory('node1'), 'wal'))
    expect(log.frames.filter(({ key }) => key !== undefined).length).toBe(writeCount)
  }

  /** Starts on what is there, checks it, writes, and checks again after another start. */
  async function expectServes(expected: readonly string[], about: string): Promise<void> {
    const node = await fixture.start('node1')
    await node.ready
    const found = await readAll(node)
    const missing = expected.filter((key) => found.get(key) !== valueOf(key))
    expect(missing, `missing with ${about}`).toEqual([])
    const { revision } = await node.range(RangeRequest.fromPartial({ key: bytes('x') }))
    await put(node, 'new-1')
    await put(node, 'new-2')
    const after = await node.hashKv(0)
    expect(after.revision, about).toBe(revision + 2)
    await fixture.kill('node1')
    const again = await fixture.start('node1')
    await again.ready
    expect(await again.hashKv(0), about).toEqual(after)
    const kept = await readAll(again)
    expect([...kept.keys()].sort(), about).toEqual([...found.keys(), 'new-1', 'new-2'].sort())
    await fixture.stop('node1')
  }

  /** All offsets from the beginning of the third record from the end to the end. */
  function cutOffsets(): readonly number[] {
    const last = log.frames.slice(-3)
    const [start, end] = [last[0]!.startBytes, last[2]!.endBytes]
    return Array.from({ length: end - start + 1 }, (_, position) => start + position)
  }

  function writtenBefore(offsetBytes: number): string[] {
    return log.frames.flatMap(({ key, endBytes }) =>
      key !== undefined && endBytes <= offsetBytes ? [key] : [],
    )
  }

  test.each([
    ['no database', undefined, 'shortened'],
    ['an earlier database', 'early', 'shortened'],
    ['an earlier database', 'early', 'zeroed'],
  ] as const)(
    'has every write before the cut, beside %s',
    async (what, database, cut) => {
      await writeAndDie()
      for (const offsetBytes of cutOffsets()) {
        restore('node1', { log: 'late', ...(database === undefined ? {} : { database }) })
        cutFile(log.path, offsetBytes, cut)
        await expectServes(
          writtenBefore(offsetBytes),
          `${what}, log ${cut} at offset ${offsetBytes} of ${log.frames.at(-1)!.endBytes}`,
        )
      }
      expect(warnings.some((line) => line.startsWith('cutting off the torn end'))).toBe(true)
      expect(warnings.some((line) => line.includes('begins anew'))).toBe(false)
    },
    600_000,
  )

  test.each(['shortened', 'zeroed'] as const)(
    'has every write and skips none, beside a database that is ahead of a %s log',
    async (cut) => {
      await writeAndDie()
      const all = Array.from({ length: writeCount }, (_, number) => keyOf(number))
      for (const offsetBytes of cutOffsets()) {
        restore('node1', { log: 'late', database: 'late' })
        cutFile(log.path, offsetBytes, cut)
        await expectServes(all, `a database ahead, log ${cut} at offset ${offsetBytes}`)
      }
      expect(warnings.some((line) => line.includes('begins anew behind the database'))).toBe(true)
    },
    600_000,
  )

  test('begins behind a database that is far ahead, again after a death in the middle of it', async () => {
    await writeAndDie()
    const all = Array.from({ length: writeCount }, (_, number) => keyOf(number))
    const third = log.frames.find(({ key }) => key === keyOf(2))!
    restore('node1', { log: 'late', database: 'late' })
    cutFile(log.path, third.startBytes + 5, 'shortened')
    await expectServes(all, 'most of the log gone')

    // Died behind the snapshot marker and before the hard state that makes it count.
    restore('node1', { log: 'late', database: 'late' })
    cutFile(log.path, third.startBytes, 'shortened')
    await (
      await fixture.start('node1')
    ).ready
    await fixture.kill('node1')
    const begun = await readLastSegment(join(memberDirectory('node1'), 'wal'))
    const marker = begun.frames.find(({ startBytes }) => startBytes >= third.startBytes)!
    cutFile(log.path, marker.endBytes, 'shortened')
    await expectServes(all, 'a marker that nothing covers')
  })
})

describe('a member of three whose database is ahead of its log', () => {
  const count = 12
  let log: LogFile
  let follower = ''

  async function killFollower(): Promise<void> {
    makeFixture(3)
    await fixture.startAll()
    const leader = await fixture.leader()
    const name = ['node1', 'node2', 'node3'].find((each) => each !== fixture.nameOf(leader))!
    for (let number = 0; number < count; number++) await put(leader, keyOf(number))
    const { raftAppliedIndex: appliedIndex } = leader.status()
    await eventually(
      'the follower',
      () => fixture.node(name).status().raftAppliedIndex >= appliedIndex || undefined,
    )
    await fixture.kill(name)
    follower = name
    log = await readLastSegment(join(memberDirectory(name), 'wal'))
  }

  test('joins the others again when its log shows the tear', async () => {
    await killFollower()
    const frame = log.frames.find(({ key }) => key === keyOf(count - 3))!
    cutFile(log.path, frame.endBytes - 5, 'shortened')
    const again = await fixture.start(follower)
    await again.ready
    expect(warnings.some((line) => line.includes('begins anew behind the database'))).toBe(true)
    await put(await fixture.leader(), keyOf(count))
    const { hash, hashRevision } = await (await fixture.leader()).hashKv(0)
    const same = await eventually('equal histories', async () =>
      again.status().revision >= hashRevision ? await again.hashKv(hashRevision) : undefined,
    )
    expect(same.hash).toBe(hash)
    // And it is fit to lead.
    const [other] = fixture.running.filter((node) => node !== again)
    await fixture.kill(fixture.nameOf(other!))
    await put(await fixture.leader(), keyOf(count + 1))
    await eventually(
      'the write',
      async () =>
        (
          await again.range(
            RangeRequest.fromPartial({ key: bytes(keyOf(count + 1)), serializable: true }),
          )
        ).count === 1 || undefined,
    )
  })

  test('is refused, untouched, when its log just ends early', async () => {
    await killFollower()
    const frame = log.frames.find(({ key }) => key === keyOf(count - 3))!
    cutFile(log.path, frame.startBytes, 'shortened')
    const before = fingerprint(memberDirectory(follower))
    await expect(fixture.start(follower)).rejects.toThrow(
      /the log ends at index \d+, before index \d+ that the database has applied/,
    )
    expect(fingerprint(memberDirectory(follower))).toEqual(before)
  })
})

describe('a log with damage in the middle', () => {
  test('ends the process with code 1 and a sentence that names file and offset; nothing is touched', async () => {
    makeFixture(1)
    const cluster = await QuoratedCluster.start(1)
    try {
      const [member] = cluster.members
      for (let number = 0; number < 5; number++) {
        const words = ['put', keyOf(number), valueOf(keyOf(number))]
        const { code } = await etcdctl(words, { endpoints: new URL(member!.clientUrl).host })
        expect(code).toBe(0)
      }
      await member!.kill()
      const directory = join(member!.dataDirectory, 'member')
      const { path, frames } = await readLastSegment(join(directory, 'wal'))
      const frame = frames.find(({ key }) => key === keyOf(1))!
      const content = readFileSync(path)
      content[frame.startBytes + lengthWordBytes + 12]! ^= 0x10
      writeFileSync(path, content)
      const before = fingerprint(directory)

      const process = member!.spawn()
      expect(await process.exited).toEqual({ code: 1, signal: null })
      const said = process.lines.at(-1)
      expect(said).toContain(path)
      expect(said).toContain(`offset ${frame.startBytes}`)
      expect(process.stderr).not.toContain('    at ')
      expect(fingerprint(directory)).toEqual(before)
    } finally {
      await cluster.dispose()
    }
  })
})
