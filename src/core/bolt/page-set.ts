/** A set of page numbers, one bit each. */
export class PageSet {
  private readonly bits: Uint8Array
  private readonly pageCount: number

  /** @param pageCount  the numbers are below it */
  constructor(pageCount: number) {
    this.pageCount = pageCount
    this.bits = new Uint8Array(Math.ceil(pageCount / 8))
  }

  has(page: number): boolean {
    return ((this.bits[page >>> 3] ?? 0) & (1 << (page & 7))) !== 0
  }

  /** @returns whether it was not in the set; a number that is out of bounds never is, and stays outside */
  add(page: number): boolean {
    if (!(page >= 0 && page < this.pageCount)) return true
    if (this.has(page)) return false
    const position = page >>> 3
    this.bits[position] = (this.bits[position] ?? 0) | (1 << (page & 7))
    return true
  }
}
