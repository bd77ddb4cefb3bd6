/**
 * Reads header blocks.
 *
 * A block changes the table that later blocks refer to, so every block must be read to its end, also one whose stream is
 * refused. What costs memory is bounded: a list larger than allowed is counted on but no longer kept.
 *
 * @see RFC 7541
 */
import { ConnectionError, errorCodes } from './http2-error.ts'
import { DynamicTable, fieldSizeBytes, staticTable, type HeaderField } from './hpack-tables.ts'
import { decodeHuffman } from './huffman.ts'

/** What a block said. */
export interface DecodedBlock {
  readonly fields: readonly HeaderField[]
  /** The list exceeded the limit; `fields` holds the part within it. */
  readonly isTooLarge: boolean
}

/** The table size that holds unless it is negotiated, which this side does not. */
const tableSizeBytesMax = 4_096
/** A number of more bytes than this is an attack: five hold 32 bits. */
const integerBytesMax = 5

/** The reading side of one connection. Each instance keeps that connection's table. */
export class HpackDecoder {
  private readonly table = new DynamicTable(tableSizeBytesMax)
  private readonly listSizeBytesMax: number
  private scratch = Buffer.allocUnsafe(256)
  private block: Buffer = this.scratch
  private offset = 0

  /** @param listSizeBytesMax  largest header list kept: names, values and 32 bytes for each field */
  constructor(listSizeBytesMax: number) {
    this.listSizeBytesMax = listSizeBytesMax
  }

  /** Two equal blocks read under the same number mean the same. */
  get generation(): number {
    return this.table.generation
  }

  /** @throws ConnectionError  `compressionError`: the tables of both sides no longer agree */
  decode(block: Buffer): DecodedBlock {
    this.block = block
    this.offset = 0
    const fields: HeaderField[] = []
    let listSizeBytes = 0
    let isTableSizeAllowed = true
    while (this.offset < block.length) {
      const head = block[this.offset] ?? 0
      if ((head & 0xe0) === 0x20) {
        if (!isTableSizeAllowed) throw malformed('table size after a field')
        this.resizeTable()
        continue
      }
      isTableSizeAllowed = false
      const field = (head & 0x80) !== 0 ? this.indexedField() : this.literalField(head)
      listSizeBytes += fieldSizeBytes(field)
      if (listSizeBytes <= this.listSizeBytesMax) fields.push(field)
    }
    this.block = this.scratch
    return { fields, isTooLarge: listSizeBytes > this.listSizeBytesMax }
  }

  private resizeTable(): void {
    const sizeBytes = this.integer(5)
    if (sizeBytes > tableSizeBytesMax) throw malformed('table larger than allowed')
    this.table.resize(sizeBytes)
  }

  private indexedField(): HeaderField {
    return this.fieldAt(this.integer(7))
  }

  private literalField(head: number): HeaderField {
    const isAdded = (head & 0x40) !== 0
    const index = this.integer(isAdded ? 6 : 4)
    const name = index === 0 ? this.text() : this.fieldAt(index).name
    const field = { name, value: this.text() }
    if (isAdded) this.table.add(field)
    return field
  }

  private fieldAt(index: number): HeaderField {
    const field =
      index <= staticTable.length
        ? staticTable[index - 1]
        : this.table.find(index - staticTable.length - 1)
    if (field === undefined) throw malformed('index without a field')
    return field
  }

  /** A number whose first byte has `prefixBits` bits for it. */
  private integer(prefixBits: number): number {
    const prefixMax = (1 << prefixBits) - 1
    let value = (this.block[this.offset++] ?? 0) & prefixMax
    if (value < prefixMax) return value
    for (let factor = 1, count = 0; count < integerBytesMax; count++, factor *= 128) {
      const byte = this.block[this.offset++]
      if (byte === undefined) throw malformed('number cut short')
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
    }
    throw malformed('number too large')
  }

  private text(): string {
    const head = this.block[this.offset]
    if (head === undefined) throw malformed('text missing')
    const lengthBytes = this.integer(7)
    const start = this.offset
    const end = start + lengthBytes
    if (end > this.block.length) throw malformed('text cut short')
    this.offset = end
    if ((head & 0x80) === 0) return this.block.toString('latin1', start, end)
    const roomBytes = Math.ceil((lengthBytes * 8) / 5)
    if (roomBytes > this.scratch.length) this.scratch = Buffer.allocUnsafe(roomBytes)
    const written = decodeHuffman(this.block, { start, end }, this.scratch)
    if (written < 0) throw malformed('text is not in the code')
    return this.scratch.toString('latin1', 0, written)
  }
}

function malformed(reason: string): ConnectionError {
  return new ConnectionError(errorCodes.compressionError, `header block: ${reason}`)
}
