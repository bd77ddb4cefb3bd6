/**
 * The transfer format of a whole backend, as one member sends it to another.
 *
 *     file    = magic "QUORATE1" (8 B)  record*  end
 *     record  = bucket number (1 B, from 1, as in `bucketNames`)  key size (4 B BE)  value size (4 B BE)  key  value
 *     end     = 0 (1 B)  record count (8 B BE)  SHA-256 over everything before it (32 B)
 *
 * Records of one bucket follow each other in key order. Chunks cut this stream anywhere; the reader joins them.
 */

import { createHash } from 'node:crypto'
import { equalBytes } from '../base/bytes.ts'
import { StorageFault } from '../errors/storage-fault.ts'
import type { BackendRecord, BackendView, BucketName } from './backend.ts'
import {
  bucketKeySizeBytesMax,
  bucketNames,
  encodeUint64,
  readUint32,
  readUint64,
  writeUint32,
} from './buckets.ts'

const magic = new TextEncoder().encode('QUORATE1')
const recordHeaderSizeBytes = 9
const endSizeBytes = 9
const digestSizeBytes = 32
const smallestKey = Uint8Array.of(0)
/** Small enough to interleave with Raft traffic on one connection, large enough that the frame around it is noise. */
const chunkSizeBytes = 65_536
/** A value is one revision of a key, at most a request; anything larger is damage and not worth the memory. */
const valueSizeBytesMax = 0x1000_0000

/**
 * The chunks of a view, made as they are asked for, each of {@link chunkSizeBytes} but the last. The view is closed when
 * the iteration ends, however it ends.
 *
 * @param pause awaited before each chunk, so that a long export lets other work in between
 */
export async function* exportChunks(
  view: BackendView,
  pause: () => Promise<void>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const digest = createHash('sha256')
  const writer = new ChunkWriter()
  let recordCount = 0
  try {
    writer.add(magic)
    for (const [position, bucket] of bucketNames.entries()) {
      let start: Uint8Array | undefined = smallestKey
      while (start !== undefined) {
        // A scan is not kept open while the caller waits for its network: each one starts after the last key.
        const part = writer.addRecords(position + 1, view.scan(bucket, { start }))
        recordCount += part.recordCount
        start = part.next
        for (const chunk of writer.takeChunks()) {
          digest.update(chunk)
          await pause()
          yield chunk
        }
      }
    }
    writer.add(Uint8Array.of(0))
    writer.add(encodeUint64(recordCount))
    const rest = writer.takeRest()
    digest.update(rest)
    yield rest
    yield digest.digest()
  } finally {
    view.close()
  }
}

/** Where an import goes. */
export interface ImportTarget {
  /** For messages: what is being read or written. */
  readonly path: string
  /** Takes a record; may wait, so that memory stays bounded. */
  put(bucket: BucketName, record: BackendRecord): Promise<void>
}

/**
 * Reads such chunks and hands each record on. The content may be used only if this resolves.
 *
 * @throws StorageFault when the stream ends early, goes on after its end, or its digest is wrong
 */
export async function importChunks(
  chunks: AsyncIterable<Uint8Array>,
  target: ImportTarget,
): Promise<void> {
  const reader = new ChunkReader(chunks, target.path)
  const start = await reader.read(magic.length)
  if (!equalBytes(start, magic)) throw reader.fault('not a database transfer')
  let recordCount = 0
  for (;;) {
    const kind = (await reader.read(1))[0] ?? 0
    if (kind === 0) break
    const bucket = bucketNames[kind - 1]
    if (bucket === undefined) throw reader.fault(`unknown bucket number ${kind}`)
    const sizes = await reader.read(recordHeaderSizeBytes - 1)
    const keySizeBytes = readUint32(sizes, 0)
    const valueSizeBytes = readUint32(sizes, 4)
    if (keySizeBytes === 0 || keySizeBytes > bucketKeySizeBytesMax) {
      throw reader.fault(`impossible key size ${keySizeBytes}`)
    }
    if (valueSizeBytes > valueSizeBytesMax) {
      throw reader.fault(`impossible value size ${valueSizeBytes}`)
    }
    const key = await reader.read(keySizeBytes)
    const value = await reader.read(valueSizeBytes)
    await target.put(bucket, { key, value })
    recordCount++
  }
  const announced = readUint64(await reader.read(endSizeBytes - 1), 0)
  const computed = reader.digest()
  const stored = await reader.read(digestSizeBytes)
  if (!equalBytes(computed, stored)) throw reader.fault('the checksum of the transfer is wrong')
  if (announced !== recordCount) throw reader.fault('the number of records is wrong')
  if (!(await reader.isAtEnd())) throw reader.fault('bytes after the end of the transfer')
}

function recordHeaderOf(bucketNumber: number, record: BackendRecord): Uint8Array {
  const header = new Uint8Array(recordHeaderSizeBytes)
  header[0] = bucketNumber
  writeUint32(header, 1, record.key.length)
  writeUint32(header, 5, record.value.length)
  return header
}

function successorOf(key: Uint8Array): Uint8Array {
  const successor = new Uint8Array(key.length + 1)
  successor.set(key)
  return successor
}

/** Joins pieces and cuts them into chunks. */
class ChunkWriter {
  private readonly chunks: Uint8Array[] = []
  private current = new Uint8Array(chunkSizeBytes)
  private filledSizeBytes = 0

  add(piece: Uint8Array): void {
    let offset = 0
    while (offset < piece.length) {
      const room = Math.min(piece.length - offset, chunkSizeBytes - this.filledSizeBytes)
      this.current.set(piece.subarray(offset, offset + room), this.filledSizeBytes)
      this.filledSizeBytes += room
      offset += room
      if (this.filledSizeBytes < chunkSizeBytes) continue
      this.chunks.push(this.current)
      this.current = new Uint8Array(chunkSizeBytes)
      this.filledSizeBytes = 0
    }
  }

  /** Adds records until a chunk is full. `next`: where the scan goes on; undefined at its end. */
  addRecords(
    bucketNumber: number,
    records: Iterable<BackendRecord>,
  ): { readonly recordCount: number; readonly next: Uint8Array | undefined } {
    let recordCount = 0
    for (const record of records) {
      this.add(recordHeaderOf(bucketNumber, record))
      this.add(record.key)
      this.add(record.value)
      recordCount++
      if (this.chunks.length > 0) return { recordCount, next: successorOf(record.key) }
    }
    return { recordCount, next: undefined }
  }

  takeChunks(): Uint8Array[] {
    return this.chunks.splice(0)
  }

  /** Everything not taken yet, as one piece. */
  takeRest(): Uint8Array {
    return Buffer.concat([...this.takeChunks(), this.current.subarray(0, this.filledSizeBytes)])
  }
}

/** Gives pieces of any size out of chunks cut anywhere, and digests what it gave. */
class ChunkReader {
  private readonly source: AsyncIterator<Uint8Array>
  private readonly path: string
  private readonly hash = createHash('sha256')
  private chunk: Uint8Array = new Uint8Array(0)
  private offset = 0
  private readSizeBytes = 0

  constructor(chunks: AsyncIterable<Uint8Array>, path: string) {
    this.source = chunks[Symbol.asyncIterator]()
    this.path = path
  }

  async read(sizeBytes: number): Promise<Uint8Array> {
    const piece = new Uint8Array(sizeBytes)
    let filled = 0
    while (filled < sizeBytes) {
      if (this.offset === this.chunk.length && !(await this.advance())) {
        throw this.fault('the transfer ended early')
      }
      const room = Math.min(sizeBytes - filled, this.chunk.length - this.offset)
      piece.set(this.chunk.subarray(this.offset, this.offset + room), filled)
      filled += room
      this.offset += room
    }
    this.hash.update(piece)
    this.readSizeBytes += sizeBytes
    return piece
  }

  /** Over everything read so far; reading goes on without being digested. */
  digest(): Uint8Array {
    return this.hash.copy().digest()
  }

  async isAtEnd(): Promise<boolean> {
    return this.offset === this.chunk.length && !(await this.advance())
  }

  fault(message: string): StorageFault {
    return new StorageFault(message, { path: this.path, offsetBytes: this.readSizeBytes })
  }

  private async advance(): Promise<boolean> {
    for (;;) {
      const next = await this.source.next()
      if (next.done === true) return false
      if (next.value.length === 0) continue
      this.chunk = next.value
      this.offset = 0
      return true
    }
  }
}
