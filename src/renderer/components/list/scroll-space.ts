/**
 * Places of very many rows in a scroll area of limited height.
 *
 * Browsers stop at some tens of millions of pixels and place things inexactly long before. Up to a limit the area is as high
 * as its rows; beyond it, it is scaled: small movements move the rows by as many pixels, a leap (the thumb, a jump) goes to
 * the same part of the whole.
 */

/** Height of the scroll area in pixels above which it is scaled. */
const spaceMaxPx = 10_000_000

/** Where the rows are, for a given scroll position of the element. All lengths in pixels. */
export class ScrollSpace {
  /** Of the rows at the upper edge, as if the area were not scaled. */
  offset = 0
  /** Of the element, as it was seen or set last. */
  top = 0
  private total = 0
  private view = 0

  /** Height of the scroll area. */
  get height(): number {
    return Math.min(this.total, spaceMaxPx)
  }

  get isScaled(): boolean {
    return this.total > spaceMaxPx
  }

  get offsetMax(): number {
    return Math.max(0, this.total - this.view)
  }

  private get topMax(): number {
    return Math.max(0, this.height - this.view)
  }

  /** What to add to a row's own place to have it where it belongs in the scroll area. */
  get translation(): number {
    return this.isScaled ? this.top - this.offset : 0
  }

  resize(total: number, view: number): void {
    this.total = total
    this.view = view
    if (this.offset > this.offsetMax) this.moveTo(this.offsetMax)
  }

  /** Whether any part of a stretch of the rows is in sight. */
  isInSight(fromPx: number, sizePx: number): boolean {
    return fromPx + sizePx > this.offset && fromPx < this.offset + this.view
  }

  /** The element was scrolled. */
  scrolled(top: number): void {
    const by = top - this.top
    this.top = top
    if (!this.isScaled) this.offset = top
    else if (top <= 0) this.offset = 0
    else if (top >= this.topMax) this.offset = this.offsetMax
    else if (Math.abs(by) <= this.view * 1.5) this.offset = this.clamped(this.offset + by)
    else this.offset = this.topMax === 0 ? 0 : (top / this.topMax) * this.offsetMax
  }

  /** Goes to a place of the rows; the element is to be scrolled to the answer. */
  moveTo(offset: number): number {
    this.offset = this.clamped(offset)
    this.top = this.restingTop()
    return this.top
  }

  /** Where the thumb belongs: small movements let it drift from the part of the whole that is shown. */
  restingTop(): number {
    if (!this.isScaled) return this.offset
    return this.offsetMax === 0 ? 0 : (this.offset / this.offsetMax) * this.topMax
  }

  /** The thumb is about to reach an end that the rows have not reached. */
  get isNearFalseEnd(): boolean {
    if (!this.isScaled) return false
    const margin = this.view * 2
    const isTop = this.top < margin && this.offset > margin * 2
    const isEnd = this.topMax - this.top < margin && this.offsetMax - this.offset > margin * 2
    return isTop || isEnd
  }

  private clamped(offset: number): number {
    return Math.min(this.offsetMax, Math.max(0, offset))
  }
}
