/**
 * Finds where JSON values end in text that arrives in pieces.
 *
 * A streaming request of the gateway is a row of JSON objects with or without white space between them; each must be
 * handed on as soon as it is whole, and without reading it twice. Only brackets, text and escapes are followed here; what
 * is inside is the parser's business.
 */

/** A value is larger than the limit. */
export class JsonValueTooLarge extends Error {
  override readonly name = 'JsonValueTooLarge'
}

/** Cuts a row of JSON values into the values. Works on bytes: everything that matters is ASCII. */
export class JsonSequence {
  private readonly sizeBytesMax: number
  private pending: Buffer = Buffer.alloc(0)
  /** Up to here `pending` was looked through. */
  private scannedBytes = 0
  private depth = 0
  private isInText = false
  private isEscaped = false
  /** A number, a word or text outside of brackets has begun. */
  private isInScalar = false

  constructor(sizeBytesMax: number) {
    this.sizeBytesMax = sizeBytesMax
  }

  /**
   * Takes a piece and returns the values that it completes.
   * @throws JsonValueTooLarge
   */
  push(piece: Uint8Array): string[] {
    this.pending =
      this.pending.length === 0 ? Buffer.from(piece) : Buffer.concat([this.pending, piece])
    const values: string[] = []
    let valueStart = 0
    while (this.scannedBytes < this.pending.length) {
      const byte = this.pending[this.scannedBytes++] ?? 0
      if (!this.endsValue(byte)) continue
      values.push(this.pending.toString('utf8', valueStart, this.scannedBytes))
      valueStart = this.scannedBytes
    }
    this.pending = this.pending.subarray(valueStart)
    this.scannedBytes -= valueStart
    if (this.pending.length > this.sizeBytesMax) throw new JsonValueTooLarge('JSON value too large')
    return values.filter((value) => value.trim() !== '')
  }

  /** What is left when nothing more will come; undefined when it is nothing but white space. */
  finish(): string | undefined {
    const rest = this.pending.toString('utf8')
    this.pending = Buffer.alloc(0)
    this.scannedBytes = 0
    return rest.trim() === '' ? undefined : rest
  }

  private endsValue(byte: number): boolean {
    if (this.isInText) {
      if (this.isEscaped) this.isEscaped = false
      else if (byte === backslash) this.isEscaped = true
      else if (byte === quote) this.isInText = false
      return !this.isInText && this.depth === 0
    }
    if (byte === quote) this.isInText = true
    else if (byte === openBrace || byte === openBracket) this.depth++
    else if (byte === closeBrace || byte === closeBracket) return this.closes()
    else if (this.depth === 0) return this.endsScalar(byte)
    return false
  }

  private closes(): boolean {
    // A bracket that closes nothing ends a value that the parser will refuse.
    this.depth = Math.max(0, this.depth - 1)
    this.isInScalar = false
    return this.depth === 0
  }

  private endsScalar(byte: number): boolean {
    const isSpace = byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d
    const ends = isSpace && this.isInScalar
    this.isInScalar = !isSpace
    return ends
  }
}

const quote = 0x22
const backslash = 0x5c
const openBrace = 0x7b
const closeBrace = 0x7d
const openBracket = 0x5b
const closeBracket = 0x5d
