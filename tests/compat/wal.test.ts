/** Our write-ahead log and etcd's are the same bytes: each reads what the other wrote. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nodeFileSystem } from '../../src/core/io/node-file-system.ts'
import { ByteReader } from '../../src/core/proto/byte-reader.ts'
import { readConfState, readEntry, readHardState } from '../../src/core/proto/raft-codec.ts'
import type { ConfState, HardState } from '../../src/core/raft/message.ts'
import { readLog } from '../../src/core/wal/record-decoder.ts'
import { RecordEncoder } from '../../src/core/wal/record-encoder.ts'
import { recordKinds } from '../../src/core/wal/record.ts'
import { listSegments } from '../../src/core/wal/segment.ts'
import { type WalContents, WriteAheadLog } from '../../src/core/wal/write-ahead-log.ts'
import { freePorts } from '../helpers/real-etcd.ts'
import { ServerProcess } from '../helpers/server-process.ts'

const keyCount = 60
let folder = ''
let ports: readonly number[] = []

function dataDirectory(name: string): string {
  return join(folder, name)
}

function walDirectory(name: string): string {
  return join(folder, name, 'member', 'wal')
}

/** A real etcd on this data directory, always with the same ports: they are part of its identity. */
async function startEtcd(name: string): Promise<ServerProcess> {
  const [clientPort = 0, peerPort = 0] = ports
  const peerUrl = `http://127.0.0.1:${peerPort}`
  const clientUrl = `http://127.0.0.1:${clientPort}`
  const etcd = new ServerProcess('etcd', {
    args: [
      '--name=one',
      `--data-dir=${dataDirectory(name)}`,
      `--listen-client-urls=${clientUrl}`,
      `--advertise-client-urls=${clientUrl}`,
      `--listen-peer-urls=${peerUrl}`,
      `--initial-advertise-peer-urls=${peerUrl}`,
      `--initial-cluster=one=${peerUrl}`,
    ],
  })
  await etcd.waitForLine('ready to serve client requests')
  return etcd
}

async function call(path: string, body: object): Promise<Record<string, unknown>> {
  const response = await fetch(`http://127.0.0.1:${ports[0]!}/v3/kv/${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
  })
  return (await response.json()) as Record<string, unknown>
}

const base64 = (text: string): string => Buffer.from(text).toString('base64')

async function readContents(name: string): Promise<WalContents> {
  const contents = await WriteAheadLog.open(nodeFileSystem, walDirectory(name))
  await contents.log.close()
  return contents
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'wal-compat-'))
  ports = await freePorts(2)
  const etcd = await startEtcd('theirs')
  for (let at = 0; at < keyCount; at++) {
    await call('put', { key: base64(`key-${at}`), value: base64(`value-${at}`.repeat(1 + at * 3)) })
  }
  await etcd.kill()
})

afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

describe('a log that etcd wrote', () => {
  test('encoded again record by record is the same bytes', async () => {
    const directory = walDirectory('theirs')
    const segments = await listSegments(nodeFileSystem, directory)
    const encoder = new RecordEncoder(0)
    const kinds = new Set<number>()
    const end = await readLog({ fileSystem: nodeFileSystem, directory }, segments, (record) => {
      kinds.add(record.kind)
      const reader = new ByteReader(record.data)
      if (record.kind === recordKinds.checksum) encoder.addChecksum()
      else if (record.kind === recordKinds.entry) encoder.addEntry(readEntry(reader))
      else if (record.kind === recordKinds.hardState)
        encoder.addHardState(readHardState(reader) as HardState)
      else if (record.kind === recordKinds.metadata) {
        reader.tag()
        const nodeId = reader.bits64() as never
        reader.tag()
        encoder.addMetadata({ nodeId, clusterId: reader.bits64() as never })
      } else encoder.addSnapshotMarker(markerOf(reader))
    })
    expect([...kinds].sort()).toEqual([1, 2, 3, 4, 5])
    const theirs = readFileSync(join(directory, segments[0]!.name)).subarray(0, end.offsetBytes)
    expect(Buffer.compare(Buffer.from(encoder.bytes), theirs)).toBe(0)
  })

  test('is read whole', async () => {
    const contents = await readContents('theirs')
    expect(contents.entries.map((entry) => entry.index)).toEqual(
      contents.entries.map((_, at) => at + 1),
    )
    expect(contents.entries.length).toBeGreaterThan(keyCount)
    expect(contents.hardState!.commit).toBeLessThanOrEqual(contents.entries.length)
    expect(contents.hardState!.vote).toBe(contents.metadata.nodeId)
    const last = Buffer.from(contents.entries.at(-1)!.data).toString('latin1')
    expect(last).toContain(`value-${keyCount - 1}`)
  })
})

describe('a log that we wrote', () => {
  test('is one that etcd starts from and goes on with, and that we read again after', async () => {
    const theirs = await readContents('theirs')
    mkdirSync(walDirectory('ours'), { recursive: true, mode: 0o700 })
    mkdirSync(join(dataDirectory('ours'), 'member', 'snap'), { mode: 0o700 })
    // Small segments, so that checksums are carried over and headers are read.
    const log = await WriteAheadLog.create(nodeFileSystem, walDirectory('ours'), theirs.metadata, {
      segmentSizeBytes: 4_096,
    })
    for (let at = 0; at < theirs.entries.length; at += 3) {
      const batch = theirs.entries.slice(at, at + 3)
      const commit = Math.min(batch.at(-1)!.index, theirs.hardState!.commit)
      await log.save({ ...theirs.hardState!, commit }, batch, { mustSync: true })
    }
    await log.close()
    expect(readdirSync(walDirectory('ours')).length).toBeGreaterThan(5)

    const etcd = await startEtcd('ours')
    const range = await call('range', {
      key: base64('key-'),
      range_end: base64('key.'),
      limit: 1,
      count_only: true,
    })
    expect(range['count']).toBe(String(keyCount))
    await call('put', { key: base64('afterwards'), value: base64('written by etcd') })
    await etcd.kill()

    const contents = await readContents('ours')
    expect(contents.entries.slice(0, theirs.entries.length)).toEqual(theirs.entries)
    const texts = contents.entries.map((entry) => Buffer.from(entry.data).toString('latin1'))
    expect(texts.some((text) => text.includes('written by etcd'))).toBe(true)
  })
})

function markerOf(reader: ByteReader) {
  const marker = { index: 0, term: 0, confState: undefined as ConfState | undefined }
  while (!reader.isAtEnd()) {
    const tag = reader.tag()
    if (tag === 0x08) marker.index = reader.number()
    else if (tag === 0x10) marker.term = reader.number()
    else marker.confState = readConfState(reader.message()) as ConfState
  }
  return marker
}
