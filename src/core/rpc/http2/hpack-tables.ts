/**
 * Tables of HPACK: the fixed fields, and those that a connection adds to them.
 *
 * @see RFC 7541, section 2.3 and appendix A
 */

/** A header field. Each character is one byte. */
export interface HeaderField {
  readonly name: string
  readonly value: string
}

/** Appendix A, without the values, which few have. Position 0 is index 1. */
const staticNames =
  ':authority :method :method :path :path :scheme :scheme :status :status :status :status :status :status :status ' +
  'accept-charset accept-encoding accept-language accept-ranges accept access-control-allow-origin age allow ' +
  'authorization cache-control content-disposition content-encoding content-language content-length ' +
  'content-location content-range content-type cookie date etag expect expires from host if-match ' +
  'if-modified-since if-none-match if-range if-unmodified-since last-modified link location max-forwards ' +
  'proxy-authenticate proxy-authorization range referer refresh retry-after server set-cookie ' +
  'strict-transport-security transfer-encoding user-agent vary via www-authenticate'

/** By index, those that are not empty. */
const staticValues: Readonly<Record<number, string>> = {
  2: 'GET',
  3: 'POST',
  4: '/',
  5: '/index.html',
  6: 'http',
  7: 'https',
  8: '200',
  9: '204',
  10: '206',
  11: '304',
  12: '400',
  13: '404',
  14: '500',
  16: 'gzip, deflate',
}

/** The fixed fields; the field with index 1 comes first. */
export const staticTable: readonly HeaderField[] = staticNames
  .split(' ')
  .map((name, position) => ({ name, value: staticValues[position + 1] ?? '' }))

/** What an entry costs beside its bytes. @see RFC 7541, section 4.1 */
const entryOverheadBytes = 32

/** Size of a field as tables and header lists count it, in bytes. */
export function fieldSizeBytes(field: HeaderField): number {
  return field.name.length + field.value.length + entryOverheadBytes
}

/**
 * Fields a connection has added, the newest first. Invariant: their sizes add up to at most `sizeBytesMax`.
 *
 * A ring of slots: adding and evicting cost the same however many there are.
 */
export class DynamicTable {
  private slots: (HeaderField | undefined)[] = new Array<HeaderField | undefined>(8)
  private oldest = 0
  private fieldCount = 0
  private sizeBytes = 0
  private maxBytes: number
  private changeCount = 0

  constructor(sizeBytesMax: number) {
    this.maxBytes = sizeBytesMax
  }

  get sizeBytesMax(): number {
    return this.maxBytes
  }

  /** How many fields it holds. */
  get count(): number {
    return this.fieldCount
  }

  /** Grows with each change: what was encoded or decoded under the same number means the same. */
  get generation(): number {
    return this.changeCount
  }

  /** The field `age` additions ago; 0 is the newest. */
  find(age: number): HeaderField | undefined {
    if (age >= this.fieldCount) return undefined
    return this.slots[(this.oldest + this.fieldCount - 1 - age) & (this.slots.length - 1)]
  }

  /** Adds a field and evicts the oldest. One that is larger than the table empties it, and that is no error. */
  add(field: HeaderField): void {
    this.changeCount++
    const sizeBytes = fieldSizeBytes(field)
    this.evictTo(this.maxBytes - sizeBytes)
    if (sizeBytes > this.maxBytes) return
    if (this.fieldCount === this.slots.length) this.grow()
    this.slots[(this.oldest + this.fieldCount) & (this.slots.length - 1)] = field
    this.fieldCount++
    this.sizeBytes += sizeBytes
  }

  resize(sizeBytesMax: number): void {
    this.changeCount++
    this.maxBytes = sizeBytesMax
    this.evictTo(sizeBytesMax)
  }

  private evictTo(sizeBytesMax: number): void {
    while (this.fieldCount > 0 && this.sizeBytes > sizeBytesMax) {
      const field = this.slots[this.oldest]
      this.slots[this.oldest] = undefined
      this.oldest = (this.oldest + 1) & (this.slots.length - 1)
      this.fieldCount--
      this.sizeBytes -= field === undefined ? 0 : fieldSizeBytes(field)
    }
  }

  private grow(): void {
    const slots = new Array<HeaderField | undefined>(this.slots.length * 2)
    for (let age = 0; age < this.fieldCount; age++)
      slots[this.fieldCount - 1 - age] = this.find(age)
    this.slots = slots
    this.oldest = 0
  }
}
