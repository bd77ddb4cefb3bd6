/** Reads frames back, one segment after the other, and checks the chain of checksums over all of them. */
import { crc32c } from '@node-rs/crc32'
import { join } from 'node:path'
import { StorageFault } from '../errors/storage-fault.ts'
import type { FileSystem } from '../io/file-system.ts'
import { FileWindow, isAllZero } from './file-window.ts'
import {
  lengthWordBytes,
  type LogRecord,
  type RecordKind,
  recordKinds,
  sectorBytes,
} from './record.ts'
import { type LengthWord, parsePlainFrame, parseRecord, readLengthWord } from './record-frame.ts'
import type { Segment } from './segment.ts'
import { isTornFrame } from './torn-tail.ts'

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
    const { window } = this
    for (;;) {
      this.readPlainRecords(visit)
      const at = this.offsetBytes
      const restBytes = window.sizeBytes - at
      const headBytes = Math.min(lengthWordBytes, restBytes)
      const head = window.find(at, headBytes) ?? (await window.load(at, headBytes))
      if (isAllZero(head)) return this.endAtZero()
      if (headBytes < lengthWordBytes) return this.endTorn('the file ends within a length word')
      const word = readLengthWord(head)
      const frameBytes = lengthWordBytes + word.recordBytes + word.paddingBytes
      if (!word.isWellFormed) return this.judge(word, 'a length word contradicts itself')
      if (frameBytes > restBytes) {
        // Where the padding alone is missing, the record would be whole; it was torn all the same.
        return frameBytes - word.paddingBytes <= restBytes
          ? this.endTorn('the file ends within padding')
          : this.judge(word, 'a record runs past the end of the file')
      }
      const bodyAt = at + lengthWordBytes
      const body =
        window.find(bodyAt, word.recordBytes) ?? (await window.load(bodyAt, word.recordBytes))
      const record = this.decode(body)
      if (record === undefined) return this.judge(word, 'a record does not match its checksum')
      visit(record)
      this.offsetBytes += frameBytes
    }
  }

  /**
   * Visits the records that lie whole in memory, in the one form that every writer uses, and fit the chain; stops before
   * the first one that does not, which is then looked at in full. Without anything made per byte or per field: a start
   * comes by here for everything that was written since the segment was begun.
   */
  private readPlainRecords(visit: (record: LogRecord) => void): void {
    const { bytes, start } = this.window
    for (;;) {
      const frame = parsePlainFrame(bytes, this.offsetBytes - start)
      if (frame === undefined) return
      const data = bytes.subarray(frame.dataStart, frame.end)
      if (crc32c(data, this.checksum) !== frame.checksum) return
      const { kind, checksum } = frame
      this.checksum = checksum
      visit({ kind, checksum, data, segmentPath: this.path, offsetBytes: this.offsetBytes })
      this.offsetBytes = start + frame.frameEnd
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

  /**
   * A length word of zero, or the end of the file: the end of the log, where the rest of the sector is zero too. Nothing can
   * be written behind a gap that is smaller than a sector.
   */
  private async endAtZero(): Promise<LogEnd['state']> {
    const { sizeBytes } = this.window
    const sectorEnd = this.offsetBytes + sectorBytes - (this.offsetBytes % sectorBytes)
    const certainEnd = this.isLast ? Math.min(sectorEnd, sizeBytes) : sizeBytes
    if (!(await this.window.isZero(this.offsetBytes, certainEnd))) {
      throw this.damage('a length word is zero, but records follow it')
    }
    return (await this.window.isZero(certainEnd, sizeBytes)) ? 'clean' : 'stale'
  }

  private async judge(lengthWord: LengthWord, reason: string): Promise<LogEnd['state']> {
    const { offsetBytes, checksum } = this
    if (this.isLast && (await isTornFrame(this.window, { offsetBytes, checksum, lengthWord }))) {
      return 'torn'
    }
    throw this.damage(reason)
  }

  private endTorn(reason: string): LogEnd['state'] {
    if (!this.isLast) throw this.damage(reason)
    return 'torn'
  }

  private damage(reason: string): StorageFault {
    const place = `${this.path} at offset ${this.offsetBytes}`
    return new StorageFault(
      `the write-ahead log is damaged: ${reason} in ${place}; restore this member from a snapshot or replace it`,
      { path: this.path, offsetBytes: this.offsetBytes },
    )
  }
}
