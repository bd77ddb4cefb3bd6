/**
 * Pairs on their way into an answer, without an object for any of them.
 *
 * A message of a pair is copied once, from where its record lies to where the socket takes it from, with tag and length in
 * front, as a repeated field of a protobuf message has them. They come in pieces, so that a large answer is never one piece
 * of memory.
 *
 *     piece = { tag (1 B: 0x12, field 2)  size of the message (varint)  message }
 */

import { crc32c } from '@node-rs/crc32'
import { emptyBytes } from '../base/bytes.ts'
import { ChecksumFold } from './checksum-fold.ts'
import { damagedRecord, placeOfMessage, type MessagePlace, type RecordSink } from './key-record.ts'

/** Field 2 of RangeResponse, with a length. */
const pairTag = 0x12
/** Room in front of a message: tag, and a varint of five bytes at most. */
const prefixSizeBytesMax = 6
/** Pieces grow from one size to the other: most answers are small, and what is left of the last one is lost. */
const pieceSizeBytesMin = 4_096
const pieceSizeBytesMax = 65_536
/** Where the pieces may be kept: a few large ones are found more quickly. */
const recordedSizeBytesMin = 16_384
/** A larger message is a piece of its own, so that little of a piece is ever left unused. */
const sharedSizeBytesMax = 8_192
/** Up to here a loop copies as fast as native code is called. */
const loopedSizeBytesMax = 32
/** A piece of which more than one part in so many is unused is copied before it is kept. */
const wastePartMin = 8

/** What takes pairs, one by one or many that were packed before. */
export interface PairSink extends RecordSink {
  /** @param bytes  pairs as they are in an answer, checked; they must not change afterwards */
  takePacked(bytes: Uint8Array): void
}

/** A piece that was packed, and where its pairs are. */
export interface RecordedPiece {
  readonly bytes: Uint8Array
  /** Where each pair begins, and where the last one ends. */
  readonly offsets: Uint32Array
}

/** Copies the pairs into pieces. */
export class PairPacker implements PairSink {
  sizeBytes = 0
  private pieces: Uint8Array[] = []
  private piece: Uint8Array = emptyBytes
  private nextPieceSizeBytes = pieceSizeBytesMin
  private usedSizeBytes = 0
  /** Where the pairs of the piece begin, and the pieces before it, while they are recorded. */
  private starts: number[] | undefined
  private recorded: RecordedPiece[] = []
  private readonly fold = new ChecksumFold()
  private readonly place: MessagePlace = { start: 0, sizeBytes: 0, checksum: 0, seed: 0 }
  private readonly allocate: (sizeBytes: number) => Uint8Array

  /** @param allocate  makes memory, whatever is in it */
  constructor(allocate: (sizeBytes: number) => Uint8Array) {
    this.allocate = allocate
  }

  take(bytes: Uint8Array, start: number, sizeBytes: number): void {
    const { place } = this
    placeOfMessage(bytes, start, { sizeBytes, place })
    this.makeRoom(place.sizeBytes)
    const { piece } = this
    const prefixStart = this.usedSizeBytes
    this.starts?.push(prefixStart)
    const messageStart = this.writePrefix(prefixStart, place.sizeBytes)
    if (place.sizeBytes <= loopedSizeBytesMax) {
      for (let offset = 0; offset < place.sizeBytes; offset++) {
        piece[messageStart + offset] = bytes[place.start + offset] ?? 0
      }
    } else {
      const message = new Uint8Array(bytes.buffer, bytes.byteOffset + place.start, place.sizeBytes)
      piece.set(message, messageStart)
    }
    this.fold.addMessage(place.sizeBytes, place.checksum, place.seed)
    this.usedSizeBytes = messageStart + place.sizeBytes
    this.sizeBytes += this.usedSizeBytes - prefixStart
  }

  takePacked(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    this.closePiece()
    this.pieces.push(bytes)
    this.sizeBytes += bytes.length
  }

  /** From now on pieces are recorded; the next pair begins one. @throws StorageFault when a record is damaged */
  beginRecording(): void {
    this.closePiece()
    this.piece = emptyBytes
    this.nextPieceSizeBytes = Math.max(recordedSizeBytesMin, this.nextPieceSizeBytes)
    this.starts = []
  }

  /** The pieces with what was taken since {@link beginRecording}. @throws StorageFault when a record is damaged */
  endRecording(): RecordedPiece[] {
    this.closePiece()
    const { recorded } = this
    this.starts = undefined
    this.recorded = []
    return recorded
  }

  /** The pieces with what was taken since the last call. @throws StorageFault when a record is damaged */
  finish(): Uint8Array[] {
    this.closePiece()
    const { pieces } = this
    this.pieces = []
    this.piece = emptyBytes
    this.nextPieceSizeBytes = pieceSizeBytesMin
    return pieces
  }

  private writePrefix(start: number, sizeBytes: number): number {
    const { piece, fold } = this
    let at = start
    piece[at++] = pairTag
    let rest = sizeBytes
    while (rest >= 0x80) {
      piece[at++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    piece[at++] = rest
    for (let offset = start; offset < at; offset++) fold.addByte(piece[offset] ?? 0)
    return at
  }

  private makeRoom(messageSizeBytes: number): void {
    const sizeBytes = messageSizeBytes + prefixSizeBytesMax
    if (this.usedSizeBytes + sizeBytes <= this.piece.length) return
    this.closePiece()
    if (messageSizeBytes > sharedSizeBytesMax) {
      this.piece = this.allocate(sizeBytes)
      return
    }
    const pieceSizeBytes = this.nextPieceSizeBytes
    this.nextPieceSizeBytes = Math.min(pieceSizeBytesMax, pieceSizeBytes * 4)
    this.piece = this.allocate(Math.max(sizeBytes, pieceSizeBytes))
  }

  /**
   * Everything in the piece is checked at once; which record it is that is damaged does not matter. What is left of its
   * memory is used for the next one.
   */
  private closePiece(): void {
    const { piece, usedSizeBytes, fold, starts } = this
    if (usedSizeBytes === 0) return
    const used = new Uint8Array(piece.buffer, piece.byteOffset, usedSizeBytes)
    if (crc32c(used) !== fold.checksum) throw damagedRecord()
    this.usedSizeBytes = 0
    fold.clear()
    if (starts === undefined) {
      this.pieces.push(used)
      this.piece = piece.subarray(usedSizeBytes)
      return
    }
    // What is kept for long takes no more than it needs.
    const isWasteful = (piece.length - usedSizeBytes) * wastePartMin > usedSizeBytes
    const bytes = isWasteful ? used.slice() : used
    starts.push(usedSizeBytes)
    this.recorded.push({ bytes, offsets: Uint32Array.from(starts) })
    this.pieces.push(bytes)
    this.piece = emptyBytes
    this.starts = []
  }
}

/** Adds up what pairs take in an answer, and checks nothing: they are read again. */
export class PairMeter implements PairSink {
  sizeBytes = 0
  private readonly place: MessagePlace = { start: 0, sizeBytes: 0, checksum: 0, seed: 0 }

  take(bytes: Uint8Array, start: number, sizeBytes: number): void {
    const { place } = this
    placeOfMessage(bytes, start, { sizeBytes, place })
    this.sizeBytes += 1 + varintSizeBytes(place.sizeBytes) + place.sizeBytes
  }

  takePacked(bytes: Uint8Array): void {
    this.sizeBytes += bytes.length
  }
}

function varintSizeBytes(value: number): number {
  let sizeBytes = 1
  for (let rest = value; rest >= 0x80; rest >>>= 7) sizeBytes++
  return sizeBytes
}
