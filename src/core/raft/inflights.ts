/** The window of appends that were sent to one peer and not yet acknowledged. */
import { assert, verify } from '../base/assert.ts'
import type { LogIndex } from './message.ts'

/** How wide the window is. */
export interface InflightsLimit {
  readonly countMax: number
  /** 0: no limit. Soft: the append that crosses it is still admitted. */
  readonly sizeBytesMax: number
}

/** A ring of the last index and the size of each unacknowledged append, oldest first. */
export class Inflights {
  private readonly limit: InflightsLimit
  /** Invariant: the `count` values from `head` on, going round, are strictly rising. */
  private lastIndexes: LogIndex[] = []
  private sizesBytes: number[] = []
  private head = 0
  private heldCount = 0
  private heldSizeBytes = 0

  constructor(limit: InflightsLimit) {
    assert(limit.countMax > 0, 'a window admits at least one append')
    this.limit = limit
  }

  get count(): number {
    return this.heldCount
  }

  get sizeBytes(): number {
    return this.heldSizeBytes
  }

  isFull(): boolean {
    const { countMax, sizeBytesMax } = this.limit
    return this.heldCount >= countMax || (sizeBytesMax > 0 && this.heldSizeBytes >= sizeBytesMax)
  }

  /** Notes an append that ends at `lastIndex`; `sizeBytes` is its payload. */
  add(lastIndex: LogIndex, sizeBytes: number): void {
    assert(!this.isFull(), 'the sender looks for room first')
    if (this.heldCount === this.lastIndexes.length) this.grow()
    const newest = this.lastIndexes[this.slot(this.heldCount - 1)]
    assert(this.heldCount === 0 || (newest ?? 0) < lastIndex, 'appends leave in log order')
    const slot = this.slot(this.heldCount)
    this.lastIndexes[slot] = lastIndex
    this.sizesBytes[slot] = sizeBytes
    this.heldCount++
    this.heldSizeBytes += sizeBytes
    verify(() => this.isRising(), 'the window goes round in log order')
  }

  /** Frees every append that ends at or before `index`. */
  freeThrough(index: LogIndex): void {
    while (this.heldCount > 0 && (this.lastIndexes[this.head] ?? 0) <= index) {
      this.heldSizeBytes -= this.sizesBytes[this.head] ?? 0
      this.head = (this.head + 1) % this.lastIndexes.length
      this.heldCount--
    }
  }

  clear(): void {
    this.head = 0
    this.heldCount = 0
    this.heldSizeBytes = 0
  }

  private isRising(): boolean {
    for (let position = 1; position < this.heldCount; position++) {
      const [earlier, later] = [this.slot(position - 1), this.slot(position)]
      if ((this.lastIndexes[earlier] ?? 0) >= (this.lastIndexes[later] ?? 0)) return false
    }
    return true
  }

  private slot(position: number): number {
    const capacity = this.lastIndexes.length
    return capacity === 0 ? 0 : (this.head + position + capacity) % capacity
  }

  /** Most windows stay small, so the ring starts empty and doubles. */
  private grow(): void {
    const capacity = Math.min(this.limit.countMax, Math.max(8, this.lastIndexes.length * 2))
    const lastIndexes = new Array<LogIndex>(capacity).fill(0)
    const sizesBytes = new Array<number>(capacity).fill(0)
    for (let position = 0; position < this.heldCount; position++) {
      lastIndexes[position] = this.lastIndexes[this.slot(position)] ?? 0
      sizesBytes[position] = this.sizesBytes[this.slot(position)] ?? 0
    }
    this.lastIndexes = lastIndexes
    this.sizesBytes = sizesBytes
    this.head = 0
  }
}
