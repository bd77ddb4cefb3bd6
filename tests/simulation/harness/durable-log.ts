/**
 * What a node's write-ahead log would give back after a crash right now, read by a decoder of our own.
 *
 * It shares no code with the product, so that a mistake in the product's codec cannot hide itself. It reads etcd's frames:
 * 8-byte little-endian length word (low 56 bits the length, top byte 0x80 | padding), then a record {1: type, 2: crc,
 * 3: data}, padded to 8 bytes. A zero length word ends a segment. The CRC-32C runs over the data of all records.
 */
import { crc32c } from '@node-rs/crc32'
import { hashOfBytes } from './trace.ts'
import type { SimDirectory, SimFile } from './sim-disk.ts'

/** An entry as it stands in the log. */
export interface LoggedEntry {
  readonly index: number
  readonly term: number
  /** 0 normal, 1 and 2 configuration changes. */
  readonly type: number
  readonly data: Uint8Array
  /** FNV-1a over type and data. */
  readonly hash: number
}

export interface LoggedHardState {
  readonly term: number
  readonly vote: bigint
  readonly commit: number
}

/** Called for each record when it is seen durable for the first time in this life of the file. */
export interface DurableLogObserver {
  entry?(entry: LoggedEntry, previousTerm: number | undefined): void
  hardState?(state: LoggedHardState): void
  /** Reading starts over at the oldest segment: older records come again. */
  reread?(): void
}

interface SegmentProgress {
  readonly file: SimFile
  offsetBytes: number
  rewriteCount: number
}

/** The durable log of one node. */
export class DurableLog {
  /** Entries by index; those of conflicting tails are replaced as a reader would. */
  entries = new Map<number, LoggedEntry>()
  hardState: LoggedHardState = { term: 0, vote: 0n, commit: 0 }
  /** The newest snapshot the log has a record of. */
  snapshotIndex = 0
  snapshotTerm = 0
  lastIndex = 0
  /** Lowest index that the oldest segment may hold; 0 while there is no segment. */
  firstIndex = 0
  private segments = new Map<string, SegmentProgress>()
  private checksum = 0
  private readonly observer: DurableLogObserver

  constructor(observer: DurableLogObserver = {}) {
    this.observer = observer
  }

  /** The term of an index, as far as the log tells. */
  termAt(index: number): number | undefined {
    if (index === 0) return 0
    return (
      this.entries.get(index)?.term ??
      (index === this.snapshotIndex ? this.snapshotTerm : undefined)
    )
  }

  /** Whether an entry is durable here, by itself or below a snapshot. */
  holds(index: number, term: number): boolean {
    const known = this.termAt(index)
    return known === undefined
      ? index <= this.snapshotIndex
      : known === term && index <= this.lastIndex
  }

  /** Reads what became durable since the last call. */
  update(directory: SimDirectory | undefined): void {
    const names = [...(directory?.durableEntries.keys() ?? [])]
      .filter((name) => name.endsWith('.wal'))
      .sort()
    const isRewritten = names.some((name) => {
      const progress = this.segments.get(name)
      const file = directory?.durableEntries.get(name)
      return (
        progress !== undefined &&
        (progress.file !== file || progress.rewriteCount !== progress.file.rewriteCount)
      )
    })
    if (isRewritten) this.forget()
    for (const name of names) {
      const file = directory?.durableEntries.get(name)
      if (file?.kind !== 'file') continue
      let progress = this.segments.get(name)
      if (progress === undefined) {
        progress = { file, offsetBytes: 0, rewriteCount: file.rewriteCount }
        this.segments.set(name, progress)
      }
      if (!this.readSegment(progress)) break
    }
    for (const name of this.segments.keys()) if (!names.includes(name)) this.segments.delete(name)
    const oldest = names[0]
    this.firstIndex = oldest === undefined ? 0 : Number.parseInt(oldest.slice(17, 33), 16)
  }

  /** Starts over: after a crash, or when a file was changed below what was read. */
  forget(): void {
    this.observer.reread?.()
    this.entries = new Map()
    this.hardState = { term: 0, vote: 0n, commit: 0 }
    this.snapshotIndex = 0
    this.snapshotTerm = 0
    this.lastIndex = 0
    this.segments = new Map()
    this.checksum = 0
  }

  /** @returns false when the segment ends in something that is no record, so that nothing behind it counts */
  private readSegment(progress: SegmentProgress): boolean {
    const { file } = progress
    const bytes = file.durable.subarray(0, file.durableSizeBytes)
    const numbers = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    while (progress.offsetBytes + 8 <= bytes.length) {
      const low = numbers.getUint32(progress.offsetBytes, true)
      const high = numbers.getUint32(progress.offsetBytes + 4, true)
      if (low === 0 && high === 0) return true
      const paddingBytes = high >>> 31 === 1 ? (high >>> 24) & 7 : 0
      const endBytes = progress.offsetBytes + 8 + low + paddingBytes
      if ((high & 0x00ffffff) !== 0 || endBytes > bytes.length) return false
      const record = parseRecord(
        bytes.subarray(progress.offsetBytes + 8, progress.offsetBytes + 8 + low),
      )
      if (record === undefined || !this.takeRecord(record)) return false
      progress.offsetBytes = endBytes
    }
    return true
  }

  private takeRecord(record: LogRecord): boolean {
    if (record.type === 4) {
      if (this.checksum !== 0 && record.checksum !== this.checksum) return false
      this.checksum = record.checksum
      return true
    }
    const checksum = crc32c(record.data, this.checksum)
    if (checksum !== record.checksum) return false
    this.checksum = checksum
    if (record.type === 2) this.takeEntry(record.data)
    else if (record.type === 3) this.takeHardState(record.data)
    else if (record.type === 5) this.takeSnapshot(record.data)
    return true
  }

  private takeEntry(data: Uint8Array): void {
    const fields = parseFields(data)
    const entryData = fields.bytes.get(4) ?? new Uint8Array(0)
    const type = fields.numbers.get(1) ?? 0
    const entry: LoggedEntry = {
      index: fields.numbers.get(3) ?? 0,
      term: fields.numbers.get(2) ?? 0,
      type,
      data: entryData,
      hash: hashOfBytes(entryData) ^ type,
    }
    for (let index = entry.index + 1; index <= this.lastIndex; index++) this.entries.delete(index)
    this.entries.set(entry.index, entry)
    this.lastIndex = entry.index
    this.observer.entry?.(entry, this.termAt(entry.index - 1))
  }

  private takeHardState(data: Uint8Array): void {
    const fields = parseFields(data)
    this.hardState = {
      term: fields.numbers.get(1) ?? 0,
      vote: fields.ids.get(2) ?? 0n,
      commit: fields.numbers.get(3) ?? 0,
    }
    this.observer.hardState?.(this.hardState)
  }

  private takeSnapshot(data: Uint8Array): void {
    const fields = parseFields(data)
    const index = fields.numbers.get(1) ?? 0
    if (index < this.snapshotIndex) return
    const term = fields.numbers.get(2) ?? 0
    // A snapshot of another history replaces the whole log; one that the log agrees with leaves it as it is.
    if (this.termAt(index) !== term) {
      this.entries = new Map()
      this.lastIndex = 0
    }
    this.snapshotIndex = index
    this.snapshotTerm = term
    this.lastIndex = Math.max(this.lastIndex, index)
  }
}

interface LogRecord {
  readonly type: number
  readonly checksum: number
  readonly data: Uint8Array
}

function parseRecord(bytes: Uint8Array): LogRecord | undefined {
  try {
    const fields = parseFields(bytes)
    return {
      type: fields.numbers.get(1) ?? 0,
      checksum: fields.numbers.get(2) ?? 0,
      data: fields.bytes.get(3) ?? new Uint8Array(0),
    }
  } catch (failure) {
    if (failure instanceof RangeError) return undefined
    throw failure
  }
}

/** Fields of a protobuf message with varints and bytes only; a repeated one keeps its last value. */
export function parseFields(bytes: Uint8Array): {
  readonly numbers: Map<number, number>
  readonly ids: Map<number, bigint>
  readonly bytes: Map<number, Uint8Array>
} {
  const numbers = new Map<number, number>()
  const ids = new Map<number, bigint>()
  const byteFields = new Map<number, Uint8Array>()
  let offset = 0
  const readVarint = (): bigint => {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[offset++]
      if (byte === undefined) throw new RangeError('a number ends early')
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
    throw new RangeError('a number is too long')
  }
  while (offset < bytes.length) {
    const tag = Number(readVarint())
    const field = tag >>> 3
    if ((tag & 7) === 0) {
      const value = readVarint()
      numbers.set(field, Number(value))
      ids.set(field, value)
    } else if ((tag & 7) === 2) {
      const length = Number(readVarint())
      if (offset + length > bytes.length) throw new RangeError('a field ends early')
      byteFields.set(field, bytes.slice(offset, offset + length))
      offset += length
    } else {
      throw new RangeError(`unexpected wire type ${tag & 7}`)
    }
  }
  return { numbers, ids, bytes: byteFields }
}
