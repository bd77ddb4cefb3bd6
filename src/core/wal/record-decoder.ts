/**
 * Reads frames back and decides what a bad one means.
 *
 * A crash may leave the end of the last segment half written: nobody was told that those bytes are safe, so they are cut
 * off. The same bad bytes anywhere else are damage to data that was promised, and the log must not be used. The two are
 * told apart as follows; anything not listed is damage.
 *
 * - Only the last segment can be torn, and only where its bytes end (etcd's rule).
 * - A frame with a wrong checksum or shape is torn when one of the sectors it lies in holds nothing but zeros of it: that
 *   sector never reached the disk (etcd's rule).
 * - It is also torn when nothing but zeros follows it in the file and its own last byte is zero: the disk stopped within
 *   its last sector. etcd takes this for damage, because sectors are whole on most disks.
 * - A frame that runs past the end of the file is torn, as in etcd, unless the record within it says itself that it is
 *   shorter and its checksum holds: then the length word alone is wrong, and that is damage.
 * - A length word of zero ends the log, as in etcd, but only where the rest of its sector is zero too: nothing can be
 *   written behind a gap that is smaller than a sector.
 */
import { crc32c } from '@node-rs/crc32'
import { join } from 'node:path'
import { StorageFault } from '../errors/storage-fault.ts'
import type { FileHandle, FileSystem } from '../io/file-system.ts'
import { ByteReader, MalformedMessage } from '../proto/byte-reader.ts'
import {
  lengthWordBytes,
  type LogRecord,
  type RecordKind,
  recordKinds,
  sectorBytes,
} from './record.ts'
import type { Segment } from './segment.ts'

/** Where a log ends and in what state. */
export interface LogEnd {
  readonly segment: Segment
  /** Behind the last whole record of that segment. */
  readonly offsetBytes: number
  /** Size of that segment's file, the allocated zeros included. */
  readonly sizeBytes: number
  /** Running checksum after the last whole record. */
  readonly checksum: number
  /** `stale`: the log ends cleanly, but bytes of a torn write lie somewhere behind the end. */
  readonly state: 'clean' | 'stale' | 'torn'
}

/**
 * Visits every record of the given segments in order.
 *
 * @throws StorageFault  a record is damaged; names file and offset
 */
export async function readLog(
  source: { readonly fileSystem: FileSystem; readonly directory: string },
  segments: readonly Segment[],
  visit: (record: LogRecord) => void,
): Promise<LogEnd> {
  let checksum = 0
  let end: LogEnd | undefined
  for (const [position, segment] of segments.entries()) {
    const path = join(source.directory, segment.name)
    const handle = await source.fileSystem.openForReading(path)
    try {
      const sizeBytes = (await source.fileSystem.findSize(path)) ?? 0
      const isLast = position === segments.length - 1
      const reader = new SegmentReader(new FileWindow(handle, sizeBytes), {
        path,
        isLast,
        checksum,
      })
      const state = await reader.readAll(visit)
      checksum = reader.checksum
      end = { segment, offsetBytes: reader.offsetBytes, sizeBytes, checksum, state }
    } finally {
      await handle.close()
    }
  }
  if (end === undefined) {
    throw new StorageFault(`no log in ${source.directory}`, { path: source.directory })
  }
  return end
}

const windowSizeBytes = 1024 * 1024

/** A piece of a file in memory that moves along with the reader. */
class FileWindow {
  readonly sizeBytes: number
  private readonly handle: FileHandle
  private start = 0
  private bytes: Uint8Array = new Uint8Array(0)

  constructor(handle: FileHandle, sizeBytes: number) {
    this.handle = handle
    this.sizeBytes = sizeBytes
  }

  /** The bytes asked for if they are in memory: most frames cost no wait. */
  find(offsetBytes: number, sizeBytes: number): Uint8Array | undefined {
    const at = offsetBytes - this.start
    if (at < 0 || at + sizeBytes > this.bytes.length) return undefined
    return this.bytes.subarray(at, at + sizeBytes)
  }

  /** Moves the window; the bytes asked for must lie within the file. */
  async load(offsetBytes: number, sizeBytes: number): Promise<Uint8Array> {
    this.bytes = await this.handle.read(offsetBytes, Math.max(sizeBytes, windowSizeBytes))
    this.start = offsetBytes
    const found = this.find(offsetBytes, sizeBytes)
    if (found !== undefined) return found
    throw new StorageFault(`${this.handle.path} is shorter than its size says`, {
      path: this.handle.path,
      offsetBytes,
    })
  }

  /** Whether [start, end) holds nothing but zeros. */
  async isZero(start: number, end: number): Promise<boolean> {
    for (let at = start; at < end; at += windowSizeBytes) {
      const size = Math.min(windowSizeBytes, end - at)
      const piece = this.find(at, size) ?? (await this.load(at, size))
      if (!isAllZero(piece)) return false
    }
    return true
  }
}

class SegmentReader {
  offsetBytes = 0
  checksum: number
  private readonly window: FileWindow
  private readonly path: string
  private readonly isLast: boolean

  constructor(
    window: FileWindow,
    options: { readonly path: string; readonly isLast: boolean; readonly checksum: number },
  ) {
    this.window = window
    this.path = options.path
    this.isLast = options.isLast
    this.checksum = options.checksum
  }

  async readAll(visit: (record: LogRecord) => void): Promise<LogEnd['state']> {
    for (;;) {
      const restBytes = this.window.sizeBytes - this.offsetBytes
      const headBytes = Math.min(lengthWordBytes, restBytes)
      const head =
        this.window.find(this.offsetBytes, headBytes) ??
        (await this.window.load(this.offsetBytes, headBytes))
      if (isAllZero(head)) return this.endAtZero()
      if (headBytes < lengthWordBytes) return this.endTorn('the file ends within a length word')
      const frame = readLengthWord(head)
      const frameBytes = lengthWordBytes + frame.recordBytes + frame.paddingBytes
      if (!frame.isWellFormed) return this.judge(-1, 'a length word contradicts itself')
      if (frameBytes > restBytes) {
        const recordEnd = this.offsetBytes + lengthWordBytes + frame.recordBytes
        // Where the padding alone is missing, the record would be whole; it was torn all the same.
        return recordEnd <= this.window.sizeBytes
          ? this.endTorn('the file ends within padding')
          : this.judge(recordEnd, 'a record runs past the end of the file')
      }
      const bodyAt = this.offsetBytes + lengthWordBytes
      const body =
        this.window.find(bodyAt, frame.recordBytes) ??
        (await this.window.load(bodyAt, frame.recordBytes))
      const record = this.decode(body)
      if (record === undefined) {
        return this.judge(bodyAt + frame.recordBytes, 'a record does not match its checksum')
      }
      visit(record)
      this.offsetBytes += frameBytes
    }
  }

  /** The record and the chain moved on by it; undefined when the bytes are not a record that fits the chain. */
  private decode(body: Uint8Array): LogRecord | undefined {
    const parsed = parseRecord(body)
    if (parsed === undefined) return undefined
    const { kind, checksum, data } = parsed
    if (kind === recordKinds.checksum) {
      // A reader that begins in the middle of a log has nothing to compare the first value with.
      if (this.checksum !== 0 && checksum !== this.checksum) return undefined
      this.checksum = checksum
    } else {
      const expected = crc32c(data, this.checksum)
      if (expected !== checksum) return undefined
      this.checksum = checksum
    }
    if (kind < recordKinds.metadata || kind > recordKinds.snapshot) {
      throw this.damage(`record of unknown kind ${kind}`)
    }
    const position = { segmentPath: this.path, offsetBytes: this.offsetBytes }
    return { kind: kind as RecordKind, checksum, data, ...position }
  }

  /** A length word of zero, or the end of the file. */
  private async endAtZero(): Promise<LogEnd['state']> {
    const { sizeBytes } = this.window
    const sectorEnd = this.offsetBytes + sectorBytes - (this.offsetBytes % sectorBytes)
    const certainEnd = this.isLast ? Math.min(sectorEnd, sizeBytes) : sizeBytes
    if (!(await this.window.isZero(this.offsetBytes, certainEnd))) {
      throw this.damage('a length word is zero, but records follow it')
    }
    return (await this.window.isZero(certainEnd, sizeBytes)) ? 'clean' : 'stale'
  }

  /**
   * Torn or damaged: see the head of this file. `recordEnd` is where the length word puts the end of the record; -1 for
   * a word that makes no sense.
   */
  private async judge(recordEnd: number, reason: string): Promise<LogEnd['state']> {
    const { sizeBytes } = this.window
    const bodyAt = this.offsetBytes + lengthWordBytes
    if (!this.isLast || (await this.holdsOtherRecord(recordEnd - bodyAt))) throw this.damage(reason)
    if (recordEnd > sizeBytes) return this.endTorn(reason)
    if (recordEnd < 0) {
      if (await this.window.isZero(bodyAt, sizeBytes)) return this.endTorn(reason)
      throw this.damage(reason)
    }
    if (await this.hasZeroSector(bodyAt, recordEnd)) return this.endTorn(reason)
    const lastByteAt = Math.max(bodyAt, recordEnd - 1)
    if (await this.window.isZero(lastByteAt, sizeBytes)) return this.endTorn(reason)
    throw this.damage(reason)
  }

  private endTorn(reason: string): LogEnd['state'] {
    if (!this.isLast) throw this.damage(reason)
    return 'torn'
  }

  /** Whether the bytes behind the length word are a record that fits the chain, of another length than the word says. */
  private async holdsOtherRecord(statedBytes: number): Promise<boolean> {
    const bodyAt = this.offsetBytes + lengthWordBytes
    const restBytes = this.window.sizeBytes - bodyAt
    const headBytes = Math.min(restBytes, 64)
    const head = this.window.find(bodyAt, headBytes) ?? (await this.window.load(bodyAt, headBytes))
    const sizeBytes = recordSizeByItself(head)
    if (sizeBytes === undefined || sizeBytes > restBytes || sizeBytes === statedBytes) return false
    const body = this.window.find(bodyAt, sizeBytes) ?? (await this.window.load(bodyAt, sizeBytes))
    const record = parseRecord(body)
    if (record === undefined) return false
    return record.kind === recordKinds.checksum
      ? record.checksum === this.checksum
      : record.checksum === crc32c(record.data, this.checksum)
  }

  private async hasZeroSector(start: number, end: number): Promise<boolean> {
    for (let at = start; at < end;) {
      const next = Math.min(end, at + sectorBytes - (at % sectorBytes))
      if (await this.window.isZero(at, next)) return true
      at = next
    }
    return false
  }

  private damage(reason: string): StorageFault {
    const place = `${this.path} at offset ${this.offsetBytes}`
    return new StorageFault(
      `the write-ahead log is damaged: ${reason} in ${place}; restore this member from a snapshot or replace it`,
      { path: this.path, offsetBytes: this.offsetBytes },
    )
  }
}

interface LengthWord {
  readonly recordBytes: number
  readonly paddingBytes: number
  readonly isWellFormed: boolean
}

function readLengthWord(head: Uint8Array): LengthWord {
  let recordBytes = 0
  for (let position = 6; position >= 0; position--) {
    recordBytes = recordBytes * 256 + (head[position] ?? 0)
  }
  const paddingBytes = (8 - (recordBytes % 8)) % 8
  const top = paddingBytes === 0 ? 0 : 0x80 | paddingBytes
  return { recordBytes, paddingBytes, isWellFormed: head[7] === top && recordBytes > 0 }
}

interface ParsedRecord {
  readonly kind: number
  readonly checksum: number
  readonly data: Uint8Array
}

const noData: Uint8Array = new Uint8Array(0)

function parseRecord(body: Uint8Array): ParsedRecord | undefined {
  let kind = 0
  let checksum = 0
  let data = noData
  try {
    const reader = new ByteReader(body)
    while (!reader.isAtEnd()) {
      const tag = reader.tag()
      if (tag === 0x08) kind = reader.number()
      else if (tag === 0x10) checksum = reader.number()
      else if (tag === 0x1a) data = reader.bytes()
      else reader.skip(tag)
    }
  } catch (error) {
    if (error instanceof MalformedMessage) return undefined
    throw error
  }
  return { kind, checksum, data }
}

/** The record's size as its own fields give it, in the order every writer uses; undefined when they do not. */
function recordSizeByItself(head: Uint8Array): number | undefined {
  try {
    const reader = new ByteReader(head)
    if (reader.tag() !== 0x08) return undefined
    const kind = reader.number()
    if (reader.tag() !== 0x10) return undefined
    reader.number()
    if (kind === recordKinds.checksum) return reader.offset
    if (reader.tag() !== 0x1a) return undefined
    const dataBytes = reader.number()
    return reader.offset + dataBytes
  } catch (error) {
    if (error instanceof MalformedMessage) return undefined
    throw error
  }
}

const zeroBlock = Buffer.alloc(64 * 1024)

function isAllZero(bytes: Uint8Array): boolean {
  // Compared natively: a start looks at every allocated byte behind the end of the log.
  for (let at = 0; at < bytes.length; at += zeroBlock.length) {
    const end = Math.min(bytes.length, at + zeroBlock.length)
    if (zeroBlock.compare(bytes, at, end, 0, end - at) !== 0) return false
  }
  return true
}
