/**
 * Writes protobuf fields straight into a gRPC frame of known size.
 *
 * A response is measured first and then written once, so that stored pairs are copied exactly one time on their way to
 * the socket. The generated codecs would decode and re-encode them.
 */
import { assert } from '../base/assert.ts'

const framePrefixSizeBytes = 5

/** Bytes of a varint for a whole number from 0 to 2^53 - 1. */
export function varintSize(value: number): number {
  if (value < 0x80) return 1
  if (value < 0x4000) return 2
  if (value < 0x20_0000) return 3
  if (value < 0x1000_0000) return 4
  let sizeBytes = 5
  for (let rest = value / 0x8_0000_0000; rest >= 1; rest /= 0x80) sizeBytes++
  return sizeBytes
}

/** Bytes of a 64-bit varint; negative numbers take ten. */
export function bigVarintSize(value: bigint): number {
  let sizeBytes = 1
  for (let rest = BigInt.asUintN(64, value) >> 7n; rest > 0n; rest >>= 7n) sizeBytes++
  return sizeBytes
}

/** A field with a tag of one byte holding a whole number; 0 is left out. */
export function numberFieldSize(value: number): number {
  return value === 0 ? 0 : 1 + varintSize(value)
}

/** A field with a tag of one byte holding 64 bits; 0 is left out. */
export function bigFieldSize(value: bigint): number {
  return value === 0n ? 0 : 1 + bigVarintSize(value)
}

/** A field with a tag of one byte holding this many bytes; never left out. */
export function bytesFieldSize(lengthBytes: number): number {
  return 1 + varintSize(lengthBytes) + lengthBytes
}

/** A gRPC frame being filled. The size given at the start must be met exactly. */
export class FrameWriter {
  private readonly buffer: Buffer
  private offset = framePrefixSizeBytes

  /**
   * @param messageSizeBytes  size of the message without the frame's prefix
   * @param writtenSizeBytes  how much of it is written here, where the rest comes from elsewhere
   */
  constructor(messageSizeBytes: number, writtenSizeBytes = messageSizeBytes) {
    this.buffer = Buffer.allocUnsafe(framePrefixSizeBytes + writtenSizeBytes)
    this.buffer[0] = 0
    this.buffer.writeUInt32BE(messageSizeBytes, 1)
  }

  /** The whole frame, or what is written of it here. */
  finish(): Uint8Array {
    assert(this.offset === this.buffer.length, 'a frame was measured for what is written into it')
    return this.buffer
  }

  numberField(tag: number, value: number): void {
    if (value === 0) return
    this.buffer[this.offset++] = tag
    this.varint(value)
  }

  bigField(tag: number, value: bigint): void {
    if (value === 0n) return
    this.buffer[this.offset++] = tag
    let rest = BigInt.asUintN(64, value)
    while (rest >= 0x80n) {
      this.buffer[this.offset++] = Number(rest & 0x7fn) | 0x80
      rest >>= 7n
    }
    this.buffer[this.offset++] = Number(rest)
  }

  flagField(tag: number, value: boolean): void {
    if (!value) return
    this.buffer[this.offset++] = tag
    this.buffer[this.offset++] = 1
  }

  bytesField(tag: number, value: Uint8Array): void {
    this.openMessage(tag, value.length)
    this.raw(value)
  }

  /** Tag and length of a message whose fields are written next. */
  openMessage(tag: number, lengthBytes: number): void {
    this.buffer[this.offset++] = tag
    this.varint(lengthBytes)
  }

  raw(bytes: Uint8Array): void {
    this.buffer.set(bytes, this.offset)
    this.offset += bytes.length
  }

  private varint(value: number): void {
    let rest = value
    while (rest >= 0x80) {
      // The remainder and not a bit mask: revisions may exceed 32 bits.
      this.buffer[this.offset++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.buffer[this.offset++] = rest
  }
}

/** Frames a message that was encoded by its generated codec. */
export function frameMessage(message: Uint8Array): Uint8Array {
  const writer = new FrameWriter(message.length)
  writer.raw(message)
  return writer.finish()
}
