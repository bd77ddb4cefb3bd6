import { crc32c } from '@node-rs/crc32'
import { ByteWriter, varint64Size, varintSize } from '../proto/byte-writer.ts'
import {
  confStateSize,
  entrySize,
  writeConfState,
  writeEntry,
  writeHardState,
} from '../proto/raft-codec.ts'
import type { Entry, HardState } from '../raft/message.ts'
import type { WalMetadata, WalSnapshotMarker } from './log-contents.ts'
import { lengthWordBytes, type RecordKind, recordKinds } from './record.ts'

// A checksum is a random number of 32 bits: 15 of 16 take this many bytes as a varint.
const checksumSizeBytes = 5

/**
 * Turns records into frames, one after the other in one buffer, and carries the running checksum.
 *
 * The buffer is reused from batch to batch: what {@link bytes} returns must have been taken by the system before
 * {@link reset}.
 */
export class RecordEncoder {
  /** Checksum over all data so far, the whole log long. */
  private checksum: number
  private readonly writer = new ByteWriter(64 * 1_024)

  constructor(checksum: number) {
    this.checksum = checksum
  }

  /** The frames since the last reset. */
  get bytes(): Uint8Array {
    return this.writer.written()
  }

  reset(): void {
    this.writer.reset()
  }

  /** Sets the running checksum: what follows continues a log that ends with this value. */
  continueFrom(checksum: number): void {
    this.checksum = checksum
  }

  addEntry(entry: Entry): void {
    const dataAt = this.begin(recordKinds.entry, entrySize(entry))
    writeEntry(this.writer, entry)
    this.end(dataAt)
  }

  addHardState(state: HardState): void {
    const size = 3 + varintSize(state.term) + varint64Size(state.vote) + varintSize(state.commit)
    const dataAt = this.begin(recordKinds.hardState, size)
    writeHardState(this.writer, state)
    this.end(dataAt)
  }

  addSnapshotMarker(marker: WalSnapshotMarker): void {
    const stateSize = marker.confState === undefined ? 0 : confStateSize(marker.confState)
    const tailSize = marker.confState === undefined ? 0 : 1 + varintSize(stateSize) + stateSize
    const size = 2 + varintSize(marker.index) + varintSize(marker.term) + tailSize
    const dataAt = this.begin(recordKinds.snapshot, size)
    this.writer.byte(0x08)
    this.writer.varint(marker.index)
    this.writer.byte(0x10)
    this.writer.varint(marker.term)
    if (marker.confState !== undefined) {
      this.writer.byte(0x1a)
      this.writer.varint(stateSize)
      writeConfState(this.writer, marker.confState)
    }
    this.end(dataAt)
  }

  addMetadata(metadata: WalMetadata): void {
    const size = 2 + varint64Size(metadata.nodeId) + varint64Size(metadata.clusterId)
    const dataAt = this.begin(recordKinds.metadata, size)
    this.writer.byte(0x08)
    this.writer.varint64(metadata.nodeId)
    this.writer.byte(0x10)
    this.writer.varint64(metadata.clusterId)
    this.end(dataAt)
  }

  /** The record that opens a segment: no data, only the value carried over. */
  addChecksum(): void {
    const frameAt = this.writer.length
    this.writer.zeros(lengthWordBytes)
    this.writer.byte(0x08)
    this.writer.byte(recordKinds.checksum)
    this.writer.byte(0x10)
    this.writer.varint(this.checksum)
    this.closeFrame(frameAt)
  }

  /** Writes everything before the data and returns where the data begins. */
  private begin(kind: RecordKind, dataSizeBytes: number): number {
    this.writer.zeros(lengthWordBytes)
    this.writer.byte(0x08)
    this.writer.byte(kind)
    this.writer.byte(0x10)
    this.writer.zeros(checksumSizeBytes)
    this.writer.byte(0x1a)
    this.writer.varint(dataSizeBytes)
    this.dataSizeBytes = dataSizeBytes
    return this.writer.length
  }

  private dataSizeBytes = 0

  /** The checksum is known only now; where it needs less room than was left, the data moves back over the gap. */
  private end(dataAt: number): void {
    this.checksum = crc32c(this.writer.written(dataAt), this.checksum)
    const checksumAt = dataAt - varintSize(this.dataSizeBytes) - 1 - checksumSizeBytes
    const size = this.patchChecksum(checksumAt)
    if (size < checksumSizeBytes) {
      this.writer.closeGap(checksumAt + size, checksumAt + checksumSizeBytes)
    }
    this.closeFrame(checksumAt - 3 - lengthWordBytes)
  }

  private patchChecksum(at: number): number {
    let rest = this.checksum
    let size = 0
    while (rest > 127) {
      this.writer.patch(at + size, (rest & 127) | 0x80)
      rest >>>= 7
      size++
    }
    this.writer.patch(at + size, rest)
    return size + 1
  }

  private closeFrame(frameAt: number): void {
    const recordSize = this.writer.length - frameAt - lengthWordBytes
    const paddingBytes = (8 - (recordSize % 8)) % 8
    this.writer.zeros(paddingBytes)
    let rest = recordSize
    for (let position = 0; position < 7; position++) {
      this.writer.patch(frameAt + position, rest % 256)
      rest = Math.floor(rest / 256)
    }
    this.writer.patch(frameAt + 7, paddingBytes === 0 ? 0 : 0x80 | paddingBytes)
  }
}

/** Frame, checksum and numbers of one record with their padding; also all of a hard state. */
const recordOverheadBytesMax = 96

/** At most so many bytes are written for entries and a hard state. */
export function encodedSizeBytesMax(entries: readonly Entry[]): number {
  let sizeBytes = recordOverheadBytesMax
  for (const { data } of entries) sizeBytes += data.length + recordOverheadBytesMax
  return sizeBytes
}
