import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import {
  connect,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
} from 'node:http2'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { KeyValue } from '../../../src/core/proto/gen/kv.ts'
import { RangeRequest } from '../../../src/core/proto/gen/rpc.ts'
import { QuoratedCluster } from '../../helpers/quorated.ts'
import { framed } from '../../helpers/raw-grpc.ts'
import { RpcClient } from '../../helpers/rpc-client.ts'

/** 304 MB in values of 1 MB: more than the answers that wait for one client may take. */
const keyCount = 304
const valueSizeBytes = 1_000_000
const readerCount = 2

let cluster: QuoratedCluster
let client: RpcClient
let sessions: ClientHttp2Session[] = []
let expectedHash = ''

const valueOf = (number: number): Buffer => Buffer.alloc(valueSizeBytes, `${number}.`)

beforeAll(async () => {
  cluster = await QuoratedCluster.start(1)
  client = new RpcClient(url())
  const hash = createHash('sha256')
  for (let first = 0; first < keyCount; first += 8) {
    const numbers = Array.from({ length: 8 }, (_, position) => first + position)
    const answers = await Promise.all(
      numbers.map((number) => client.must('put', { key: keyOf(number), value: valueOf(number) })),
    )
    numbers.forEach((number, position) => {
      const modRevision = answers[position]?.header?.revision ?? 0n
      hash.update(pairOf(number, modRevision))
    })
  }
  expectedHash = hash.digest('hex')
}, 120_000)

afterAll(async () => {
  for (const session of sessions) session.destroy()
  sessions = []
  client.close()
  await cluster.dispose()
})

const keyOf = (number: number): Uint8Array =>
  Buffer.from(`large/${String(number).padStart(4, '0')}`)

/** A pair as it stands in the answer, but for its tag and length. */
function pairOf(number: number, modRevision: bigint): Uint8Array {
  const key = keyOf(number)
  const value = valueOf(number)
  const fields = { key, value, createRevision: modRevision, modRevision, version: 1n }
  return KeyValue.encode(KeyValue.fromPartial(fields)).finish()
}

function url(): string {
  const [first] = cluster.clientUrls
  if (first === undefined) throw new Error('one member')
  return first
}

/** Megabytes of memory that are the process's own; pages of the mapped database come and go. */
function ownMemoryMb(): number {
  const status = readFileSync(`/proc/${String(cluster.members[0]?.process.pid)}/status`, 'utf8')
  return Number(/RssAnon:\s+(\d+) kB/.exec(status)?.[1]) / 1_024
}

/** Takes an answer apart as it comes, and keeps nothing of it. */
class AnswerReader {
  sizeBytes = 0
  readonly hash = createHash('sha256')
  pairCount = 0
  private waiting: Buffer = Buffer.alloc(0)
  private leftOfPair = 0
  private hasPrefix = false
  frameSizeBytes = 0

  push(chunk: Buffer): void {
    this.sizeBytes += chunk.length
    let rest: Buffer = this.waiting.length === 0 ? chunk : Buffer.concat([this.waiting, chunk])
    if (!this.hasPrefix && rest.length >= 5) {
      this.hasPrefix = true
      this.frameSizeBytes = rest.readUInt32BE(1) + 5
      rest = rest.subarray(5)
    }
    for (;;) {
      if (this.leftOfPair > 0) {
        const part = rest.subarray(0, this.leftOfPair)
        this.hash.update(part)
        this.leftOfPair -= part.length
        rest = rest.subarray(part.length)
      }
      const field = this.leftOfPair > 0 ? undefined : fieldAt(rest)
      if (field === undefined) break
      rest = rest.subarray(field.headSizeBytes)
      if (field.tag === 0x12) {
        this.pairCount++
        this.leftOfPair = field.value
      } else if (field.tag === 0x0a) rest = rest.subarray(field.value)
    }
    this.waiting = rest
  }
}

/** Tag and number of a field, if they are there whole; a field of fewer than 64 bytes is waited for. */
function fieldAt(bytes: Buffer): { tag: number; value: number; headSizeBytes: number } | undefined {
  let value = 0
  for (let offset = 1; offset < bytes.length; offset++) {
    const byte = bytes[offset] ?? 0
    value += (byte & 0x7f) * 2 ** (7 * (offset - 1))
    if (byte >= 0x80) continue
    const tag = bytes[0] ?? 0
    const isWhole = tag !== 0x0a || bytes.length >= offset + 1 + value
    return isWhole ? { tag, value, headSizeBytes: offset + 1 } : undefined
  }
  return undefined
}

function ask(): ClientHttp2Stream {
  const session = connect(url(), { settings: { initialWindowSize: 1_048_576 } })
  sessions.push(session)
  const stream = session.request({
    ':method': 'POST',
    ':path': '/etcdserverpb.KV/Range',
    'content-type': 'application/grpc',
    te: 'trailers',
  })
  const fields = { key: Buffer.from('large/'), rangeEnd: Buffer.from('large0') }
  stream.end(framed(RangeRequest.encode(RangeRequest.fromPartial(fields)).finish()))
  return stream
}

/** Reads to the end, with a pause after every so many bytes. */
function readAll(stream: ClientHttp2Stream, reader: AnswerReader | undefined): Promise<string> {
  return new Promise((resolve, reject) => {
    let status = ''
    let sinceBreak = 0
    stream.on('data', (chunk: Buffer) => {
      reader?.push(chunk)
      sinceBreak += chunk.length
      if (sinceBreak < 8_000_000) return
      sinceBreak = 0
      stream.pause()
      setTimeout(() => stream.resume(), 5)
    })
    stream.on('trailers', (trailers: IncomingHttpHeaders) => {
      status = String(trailers['grpc-status'])
    })
    stream.on('error', reject)
    stream.on('end', () => {
      resolve(status)
    })
  })
}

test('several slow readers of 304 MB get them byte for byte, and cost little memory', async () => {
  const beforeMb = ownMemoryMb()
  let peakMb = beforeMb
  const timer = setInterval(() => {
    peakMb = Math.max(peakMb, ownMemoryMb())
  }, 20)
  const readers = Array.from({ length: readerCount }, () => new AnswerReader())
  try {
    const streams = readers.map(() => ask())
    const begun = streams.map((stream) => new Promise((resolve) => stream.once('data', resolve)))
    const answers = streams.map((stream, position) => readAll(stream, readers[position]))
    await Promise.all(begun)
    // What they have begun to read is changed, deleted and compacted meanwhile.
    await client.must('put', { key: keyOf(keyCount - 1), value: Buffer.from('changed') })
    const deleted = await client.must('deleteRange', { key: keyOf(keyCount - 2) })
    await client.must('compact', { revision: deleted.header?.revision ?? 0n })
    expect(await Promise.all(answers)).toEqual(readers.map(() => '0'))
  } finally {
    clearInterval(timer)
  }
  for (const reader of readers) {
    expect(reader.pairCount).toBe(keyCount)
    expect(reader.sizeBytes).toBe(reader.frameSizeBytes)
    expect(reader.hash.digest('hex')).toBe(expectedHash)
  }
  expect(peakMb - beforeMb).toBeLessThan(250)
}, 120_000)

test('a reader that goes away in the middle leaves nothing behind', async () => {
  const stream = ask()
  await new Promise((resolve) => stream.once('data', resolve))
  const closed = new Promise((resolve) => stream.once('close', resolve))
  stream.close()
  await closed
  const { kvs } = await client.must('range', { key: keyOf(3) })
  expect(kvs[0]?.value.length).toBe(valueSizeBytes)
})
