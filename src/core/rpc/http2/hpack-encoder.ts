/**
 * Writes header blocks.
 *
 * A server says few things over and over. Fields marked as common enter the peer's table once and take a byte from then
 * on, and blocks made of them are encoded once and kept until the table changes. All others are written out and leave
 * the table alone.
 *
 * @see RFC 7541
 */
import { DynamicTable, staticTable, type HeaderField } from './hpack-tables.ts'
import { encodeHuffman, huffmanSizeBytes } from './huffman.ts'

/** A field to send. */
export interface OutgoingField extends HeaderField {
  /** Sent so often that it is worth a place in the peer's table. */
  readonly isCommon?: boolean
}

/** Fields that are sent together. Blocks that are the same object are encoded once. */
export type HeaderBlock = readonly OutgoingField[]

/** The table size that holds until the peer sets another; more is not used. */
const tableSizeBytesDefault = 4_096

interface KeptBlock {
  readonly generation: number
  readonly bytes: Buffer
}

/** The writing side of one connection. Each instance mirrors that peer's table. */
export class HpackEncoder {
  private readonly table = new DynamicTable(tableSizeBytesDefault)
  private readonly kept = new Map<HeaderBlock, KeptBlock>()
  /** Smallest and last size set since the last block; both must be told, or entries would survive on one side. */
  private pendingSizes: { smallest: number; last: number } | undefined

  /** The peer's SETTINGS_HEADER_TABLE_SIZE, in bytes. */
  setTableSizeMax(sizeBytes: number): void {
    const last = Math.min(sizeBytes, tableSizeBytesDefault)
    if (this.pendingSizes === undefined && last === this.table.sizeBytesMax) return
    const smallest = Math.min(last, this.pendingSizes?.smallest ?? last)
    this.pendingSizes = { smallest, last }
  }

  /** @returns the block's bytes; the caller must send them, in the order of the calls */
  encode(fields: HeaderBlock): Buffer {
    const kept = this.kept.get(fields)
    if (kept?.generation === this.table.generation && this.pendingSizes === undefined) {
      return kept.bytes
    }
    const generation = this.table.generation
    const parts: number[] = []
    this.writeTableSizes(parts)
    for (const field of fields) this.writeField(parts, field)
    const bytes = Buffer.from(parts)
    const isStable = generation === this.table.generation
    // Only blocks known in advance: others come once.
    if (isStable && fields.every((field) => field.isCommon === true)) {
      this.kept.set(fields, { generation, bytes })
    }
    return bytes
  }

  private writeTableSizes(parts: number[]): void {
    if (this.pendingSizes === undefined) return
    const { smallest, last } = this.pendingSizes
    this.pendingSizes = undefined
    for (const sizeBytes of smallest < last ? [smallest, last] : [last]) {
      this.table.resize(sizeBytes)
      writeInteger(parts, sizeBytes, { prefixBits: 5, head: 0x20 })
    }
  }

  private writeField(parts: number[], field: OutgoingField): void {
    const index = this.indexOf(field)
    if (index > 0) {
      writeInteger(parts, index, { prefixBits: 7, head: 0x80 })
      return
    }
    const nameIndex = staticTable.findIndex(({ name }) => name === field.name) + 1
    const isAdded = field.isCommon === true
    writeInteger(
      parts,
      nameIndex,
      isAdded ? { prefixBits: 6, head: 0x40 } : { prefixBits: 4, head: 0 },
    )
    if (nameIndex === 0) writeText(parts, field.name)
    writeText(parts, field.value)
    if (isAdded) this.table.add({ name: field.name, value: field.value })
  }

  /** Index of a field with the same name and value; 0: none. */
  private indexOf({ name, value }: HeaderField): number {
    const position = staticTable.findIndex((field) => field.name === name && field.value === value)
    if (position >= 0) return position + 1
    for (let age = 0; age < this.table.count; age++) {
      const field = this.table.find(age)
      if (field?.name === name && field.value === value) return staticTable.length + 1 + age
    }
    return 0
  }
}

function writeInteger(
  parts: number[],
  value: number,
  { prefixBits, head }: { readonly prefixBits: number; readonly head: number },
): void {
  const prefixMax = (1 << prefixBits) - 1
  if (value < prefixMax) {
    parts.push(head | value)
    return
  }
  parts.push(head | prefixMax)
  let rest = value - prefixMax
  for (; rest >= 0x80; rest >>>= 7) parts.push((rest & 0x7f) | 0x80)
  parts.push(rest)
}

function writeText(parts: number[], text: string): void {
  const huffmanBytes = huffmanSizeBytes(text)
  if (huffmanBytes < text.length) {
    writeInteger(parts, huffmanBytes, { prefixBits: 7, head: 0x80 })
    for (const byte of encodeHuffman(text)) parts.push(byte)
    return
  }
  writeInteger(parts, text.length, { prefixBits: 7, head: 0 })
  for (let position = 0; position < text.length; position++) {
    parts.push(text.charCodeAt(position) & 0xff)
  }
}
