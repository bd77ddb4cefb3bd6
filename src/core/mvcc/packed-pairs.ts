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
import { ChecksumFold } from './checksum-fold.ts'
import { damagedRecord, placeOfMessage, type MessagePlace, type RecordSink } from './key-record.ts'

/** Field 2 of RangeResponse, with a length. */
const pairTag = 0x12
/** Room in front of a message: tag, and a varint of five bytes at most. */
const prefixSizeBytesMax = 6
/** Pieces grow from one size to the other: most answers are small, and what is left of the last one is lost. */
const pieceSizeBytesMin = 4_096
const pieceSizeBytesMax = 65_536
/** A larger message is a piece of its own, so that little of a piece is ever left unused. */
const sharedSizeBytesMax = 8_192
/** Up to here a loop copies as fast as native code is called. */
const loopedSizeBytesMax = 32

/** Copies the pairs into pieces. */
export class PairPacker implements RecordSink {
  sizeBytes = 0
  private pieces: Uint8Array[] = []
  private piece: Uint8Array = new Uint8Array()
  private usedSizeBytes = 0
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

  /** The pieces with what was taken since the last call. @throws StorageFault when a record is damaged */
  finish(): Uint8Array[] {
    this.closePiece()
    const { pieces } = this
    this.pieces = []
    this.piece = new Uint8Array()
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
    const isFirst = this.piece.length === 0
    const nextSizeBytes = isFirst
      ? pieceSizeBytesMin
      : Math.min(pieceSizeBytesMax, this.piece.length * 4)
    this.closePiece()
    const pieceSizeBytes =
      messageSizeBytes > sharedSizeBytesMax ? sizeBytes : Math.max(sizeBytes, nextSizeBytes)
    this.piece = this.allocate(pieceSizeBytes)
  }

  /** Everything in the piece is checked at once; which record it is that is damaged does not matter. */
  private closePiece(): void {
    const { piece, usedSizeBytes, fold } = this
    if (usedSizeBytes === 0) return
    const used = new Uint8Array(piece.buffer, piece.byteOffset, usedSizeBytes)
    if (crc32c(used) !== fold.checksum) throw damagedRecord()
    this.pieces.push(used)
    this.usedSizeBytes = 0
    fold.clear()
  }
}

/** Adds up what pairs take in an answer, and checks nothing: they are read again. */
export class PairMeter implements RecordSink {
  sizeBytes = 0
  private readonly place: MessagePlace = { start: 0, sizeBytes: 0, checksum: 0, seed: 0 }

  take(bytes: Uint8Array, start: number, sizeBytes: number): void {
    const { place } = this
    placeOfMessage(bytes, start, { sizeBytes, place })
    this.sizeBytes += 1 + varintSizeBytes(place.sizeBytes) + place.sizeBytes
  }
}

function varintSizeBytes(value: number): number {
  let sizeBytes = 1
  for (let rest = value; rest >= 0x80; rest >>>= 7) sizeBytes++
  return sizeBytes
}
