/**
 * A growing buffer with protobuf's number formats, reused over many messages.
 *
 * Generated encoders allocate per message; log entries and peer messages are encoded once per request, so they go through
 * this writer, whose memory stays. The bytes handed out by {@link ByteWriter.written} are a view: they change with the
 * next write after a `reset`.
 */
export class ByteWriter {
  private buffer: Uint8Array
  /** Bytes written since the last reset; may be set back to drop what was written beyond. */
  length = 0

  constructor(initialSizeBytes = 4_096) {
    this.buffer = new Uint8Array(initialSizeBytes)
  }

  /** Forgets the content. Memory beyond `keptSizeBytesMax` is given back, so that one huge message is not paid for ever. */
  reset(keptSizeBytesMax = 8 * 1_024 * 1_024): void {
    this.length = 0
    if (this.buffer.length > keptSizeBytesMax) this.buffer = new Uint8Array(keptSizeBytesMax)
  }

  /** A view of what was written, from `start` on. */
  written(start = 0): Uint8Array {
    return this.buffer.subarray(start, this.length)
  }

  /** Everything written, as an array of its own. */
  copied(): Uint8Array {
    return this.buffer.slice(0, this.length)
  }

  byte(value: number): void {
    if (this.length >= this.buffer.length) this.grow(1)
    this.buffer[this.length++] = value
  }

  /** An unsigned varint of a safe integer. */
  varint(value: number): void {
    if (this.length + 8 > this.buffer.length) this.grow(8)
    let rest = value
    // Shifts work on 32 bits; beyond that only division is exact.
    while (rest > 0x7fff_ffff) {
      this.buffer[this.length++] = (rest % 128) | 0x80
      rest = Math.floor(rest / 128)
    }
    while (rest > 127) {
      this.buffer[this.length++] = (rest & 127) | 0x80
      rest >>>= 7
    }
    this.buffer[this.length++] = rest
  }

  /** An unsigned varint of 64 bits. */
  varint64(value: bigint): void {
    let rest = BigInt.asUintN(64, value)
    while (rest > 0x1f_ffff_ffff_ffffn) {
      this.byte(Number(rest & 127n) | 0x80)
      rest >>= 7n
    }
    this.varint(Number(rest))
  }

  bytes(value: Uint8Array): void {
    if (this.length + value.length > this.buffer.length) this.grow(value.length)
    this.buffer.set(value, this.length)
    this.length += value.length
  }

  zeros(count: number): void {
    if (this.length + count > this.buffer.length) this.grow(count)
    this.buffer.fill(0, this.length, this.length + count)
    this.length += count
  }

  /** 64 bits, most significant byte first, of a safe integer. */
  uint64BigEndian(value: number): void {
    this.zeros(8)
    this.patchUint64BigEndian(this.length - 8, value)
  }

  /** Overwrites 64 bits written before, most significant byte first. */
  patchUint64BigEndian(position: number, value: number): void {
    this.patch32(position, Math.floor(value / 0x1_0000_0000))
    this.patch32(position + 4, value >>> 0)
  }

  /** Overwrites one byte written before. */
  patch(position: number, value: number): void {
    this.buffer[position] = value
  }

  /** Moves everything from `source` on back to `target`, closing a gap. */
  closeGap(target: number, source: number): void {
    this.buffer.copyWithin(target, source, this.length)
    this.length -= source - target
  }

  private patch32(position: number, value: number): void {
    this.buffer[position] = value >>> 24
    this.buffer[position + 1] = value >>> 16
    this.buffer[position + 2] = value >>> 8
    this.buffer[position + 3] = value
  }

  private grow(extraSizeBytes: number): void {
    const grown = new Uint8Array(Math.max(this.buffer.length * 2, this.length + extraSizeBytes))
    grown.set(this.buffer.subarray(0, this.length))
    this.buffer = grown
  }
}

/** Bytes that {@link ByteWriter.varint} takes for a safe integer. */
export function varintSize(value: number): number {
  let size = 1
  let rest = value
  while (rest > 127) {
    rest = Math.floor(rest / 128)
    size++
  }
  return size
}

/** Bytes that {@link ByteWriter.varint64} takes. */
export function varint64Size(value: bigint): number {
  let size = 1
  let rest = BigInt.asUintN(64, value)
  while (rest > 127n) {
    rest >>= 7n
    size++
  }
  return size
}
