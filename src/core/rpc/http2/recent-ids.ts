/** The last few stream ids of a kind. */

/** Remembers ids until `countMax` newer ones have come. */
export class RecentIds {
  private readonly countMax: number
  private readonly ids = new Set<number>()

  constructor(countMax: number) {
    this.countMax = countMax
  }

  add(id: number): void {
    this.ids.add(id)
    if (this.ids.size <= this.countMax) return
    // A set keeps the order of insertion.
    for (const oldest of this.ids) {
      this.ids.delete(oldest)
      break
    }
  }

  has(id: number): boolean {
    return this.ids.has(id)
  }
}
