/**
 * Ids in the order of their places, for lists that grow at their end, now and then in the middle, and lose their front.
 *
 * The ids stand in one typed array: a hundred thousand of them are less than a megabyte, appending costs nothing, and what
 * comes late is merged into the tail behind its place. Ids of the same place keep the order in which they came.
 */

const capacityMin = 1_024

/** Invariant: places never fall from one id to the next. */
export class SortedIds {
  private readonly placeOf: (id: number) => number
  private ids = new Float64Array(capacityMin)
  private start = 0
  private end = 0
  /** Ids that left at the front: with it, a position can be kept while the front moves. */
  droppedCount = 0

  /** @param placeOf  the place of an id; must answer for every id that is held */
  constructor(placeOf: (id: number) => number) {
    this.placeOf = placeOf
  }

  get length(): number {
    return this.end - this.start
  }

  /** The id at a position from the front; undefined outside. */
  at(position: number): number | undefined {
    return position < 0 || position >= this.length ? undefined : this.ids[this.start + position]
  }

  /** Adds ids that are sorted by place themselves. */
  merge(added: readonly number[]): void {
    const [first] = added
    if (first === undefined) return
    this.reserve(added.length)
    const firstPlace = this.placeOf(first)
    const from = this.positionAfter(firstPlace)
    const tail = this.ids.slice(this.start + from, this.end)
    let write = this.start + from
    let read = 0
    for (const id of added) {
      const place = this.placeOf(id)
      for (; read < tail.length && this.placeOf(tail[read] ?? 0) <= place; read++)
        this.ids[write++] = tail[read] ?? 0
      this.ids[write++] = id
    }
    this.ids.set(tail.subarray(read), write)
    this.end += added.length
  }

  /** Takes ids away from the front. */
  dropFront(count: number): void {
    const dropped = Math.min(count, this.length)
    this.start += dropped
    this.droppedCount += dropped
  }

  /** Holds what another holds. */
  copyFrom(other: SortedIds): void {
    this.ids = other.ids.slice(other.start, other.end + capacityMin)
    this.start = 0
    this.end = other.length
    if (this.ids.length === 0) this.ids = new Float64Array(capacityMin)
  }

  clear(): void {
    this.start = 0
    this.end = 0
  }

  /** All ids from the front on, as a copy. */
  toArray(): Float64Array {
    return this.ids.slice(this.start, this.end)
  }

  /** Position of an id; -1 when it is not held. */
  indexOf(id: number): number {
    const place = this.placeOf(id)
    for (let at = this.positionFrom(place); at < this.length; at++) {
      const other = this.at(at) ?? 0
      if (other === id) return at
      if (this.placeOf(other) > place) return -1
    }
    return -1
  }

  /** Position of the first id whose place is not below this one. */
  positionFrom(place: number): number {
    return this.search((other) => other < place)
  }

  /** Position of the first id whose place is above this one. */
  private positionAfter(place: number): number {
    const last = this.at(this.length - 1)
    // What comes last belongs last, nearly always.
    if (last === undefined || this.placeOf(last) <= place) return this.length
    return this.search((other) => other <= place)
  }

  private search(isBefore: (place: number) => boolean): number {
    let low = 0
    let high = this.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (isBefore(this.placeOf(this.ids[this.start + middle] ?? 0))) low = middle + 1
      else high = middle
    }
    return low
  }

  private reserve(count: number): void {
    if (this.end + count <= this.ids.length) return
    const { length } = this
    const wanted = length + count
    // Room that is left at the front is used first; otherwise the array doubles.
    const isRoomy = wanted * 2 <= this.ids.length
    const ids = isRoomy ? this.ids : new Float64Array(Math.max(capacityMin, wanted * 2))
    ids.set(this.ids.subarray(this.start, this.end), 0)
    this.ids = ids
    this.start = 0
    this.end = length
  }
}
