/**
 * The difference of two ranges by reading both, page by page, side by side.
 *
 * Keys of both sides come in the same order, so that one pass decides every key and only two pages a side are held: one
 * that is looked at, and one that is on its way.
 */

import type { CompareBasis } from '../../preload/contract/compare.ts'
import type { ComparedPair, CompareSource } from './compare-source.ts'
import type { DifferenceRows } from './difference-rows.ts'
import { isSameState, stateOfPair } from './key-state.ts'

const keyPageRowsMin = 1_000
/** Larger pages would hold the main process for longer than a frame or two while they are decoded. */
const keyPageRowsMax = 5_000
const valuePageRowsMin = 250
const valuePageRowsMax = 5_000
/** Pages with values aim at this size. */
const valuePageSizeBytes = 1_048_576

/** One side, pinned. */
export interface PagedSide {
  readonly source: CompareSource
  readonly revision: number
  /** Where the two sides name their keys differently: what stands before the name that they share. */
  readonly prefix: Uint8Array | undefined
}

export interface PageDifferenceOptions {
  readonly left: PagedSide
  readonly right: PagedSide
  readonly basis: CompareBasis
  readonly ignoresLeases: boolean
  /** Called after each page with the keys looked at, on both sides together. */
  readonly onProgress: (doneCount: number) => void
}

/** Adds every difference of the two sides. */
export async function readPageDifference(
  options: PageDifferenceOptions,
  rows: DifferenceRows,
): Promise<void> {
  const isKeysOnly = options.basis !== 'value'
  const left = new SideReader(options.left, isKeysOnly)
  const right = new SideReader(options.right, isKeysOnly)
  for (;;) {
    await Promise.all([left.fill(), right.fill()])
    if (left.current() === undefined && right.current() === undefined) return
    mergePages(left, right, options, rows)
    rows.flush()
    options.onProgress(left.takenCount + right.takenCount)
  }
}

/** Decides keys until one of the sides needs its next page, or both are at their end. */
function mergePages(
  left: SideReader,
  right: SideReader,
  options: PageDifferenceOptions,
  rows: DifferenceRows,
): void {
  for (;;) {
    const leftPair = left.current()
    const rightPair = right.current()
    if (leftPair === undefined && !left.isAtEnd) return
    if (rightPair === undefined && !right.isAtEnd) return
    if (leftPair === undefined && rightPair === undefined) return
    const order = orderOf(left, leftPair, right, rightPair)
    if (order < 0 && leftPair !== undefined) {
      rows.add(leftPair.key, stateOfPair(leftPair, options.basis), undefined)
      left.take()
    } else if (order > 0 && rightPair !== undefined) {
      const key = nameOnLeft(options, rightPair.key)
      rows.add(key, undefined, stateOfPair(rightPair, options.basis))
      right.take()
    } else if (leftPair !== undefined && rightPair !== undefined) {
      if (isSameState(leftPair, rightPair, options)) rows.addSame(1)
      else {
        const leftState = stateOfPair(leftPair, options.basis)
        rows.add(leftPair.key, leftState, stateOfPair(rightPair, options.basis))
      }
      left.take()
      right.take()
    }
  }
}

/** Below 0: the left key comes first; above: the right one. A side without keys comes last. */
function orderOf(
  left: SideReader,
  leftPair: ComparedPair | undefined,
  right: SideReader,
  rightPair: ComparedPair | undefined,
): number {
  if (leftPair === undefined) return 1
  if (rightPair === undefined) return -1
  const leftKey = leftPair.key
  const rightKey = rightPair.key
  const leftSize = leftKey.length - left.nameOffset
  const rightSize = rightKey.length - right.nameOffset
  const commonSize = Math.min(leftSize, rightSize)
  for (let at = 0; at < commonSize; at++) {
    const difference = (leftKey[left.nameOffset + at] ?? 0) - (rightKey[right.nameOffset + at] ?? 0)
    if (difference !== 0) return difference
  }
  return leftSize - rightSize
}

function nameOnLeft({ left, right }: PageDifferenceOptions, key: Uint8Array): Uint8Array {
  if (left.prefix === undefined || right.prefix === undefined) return key
  const name = new Uint8Array(left.prefix.length + key.length - right.prefix.length)
  name.set(left.prefix)
  name.set(key.subarray(right.prefix.length), left.prefix.length)
  return name
}

interface Page {
  readonly pairs: readonly ComparedPair[]
  readonly hasMore: boolean
}

/** Reads one side in order, one page ahead of what is looked at. */
class SideReader {
  /** Keys are compared behind this many bytes. */
  readonly nameOffset: number
  takenCount = 0
  private readonly side: PagedSide
  private readonly isKeysOnly: boolean
  private pairs: readonly ComparedPair[] = []
  private position = 0
  private hasMore = true
  private limit: number
  private following: Promise<Page> | undefined

  constructor(side: PagedSide, isKeysOnly: boolean) {
    this.side = side
    this.isKeysOnly = isKeysOnly
    this.nameOffset = side.prefix?.length ?? 0
    this.limit = isKeysOnly ? keyPageRowsMin : valuePageRowsMin
  }

  /** No pages follow the present one. */
  get isAtEnd(): boolean {
    return !this.hasMore
  }

  current(): ComparedPair | undefined {
    return this.pairs[this.position]
  }

  take(): void {
    this.position++
    this.takenCount++
  }

  /** Makes the next page the present one if that is used up, and asks for the one behind it. */
  async fill(): Promise<void> {
    if (this.position < this.pairs.length || !this.hasMore) return
    const page = await (this.following ?? this.load(undefined))
    this.following = undefined
    this.pairs = page.pairs
    this.position = 0
    const last = page.pairs.at(-1)
    this.hasMore = page.hasMore && last !== undefined
    if (!this.hasMore || last === undefined) return
    this.adapt(page.pairs)
    this.following = this.load(last.key)
    // Whoever needs the page is told that it failed; when the other side fails before, nobody asks, and nobody has to.
    void Promise.allSettled([this.following])
  }

  private async load(after: Uint8Array | undefined): Promise<Page> {
    for (;;) {
      const page = await this.side.source.page({
        ...(after === undefined ? {} : { after }),
        limit: this.limit,
        revision: this.side.revision,
        isKeysOnly: this.isKeysOnly,
      })
      if (page.kind === 'page') return page
      this.limit = Math.max(1, this.limit >> 1)
    }
  }

  private adapt(pairs: readonly ComparedPair[]): void {
    if (this.isKeysOnly) {
      this.limit = Math.min(keyPageRowsMax, this.limit * 2)
      return
    }
    const sizeBytes = pairs.reduce((sum, pair) => sum + pair.key.length + pair.value.length, 1)
    const fittingRows = Math.ceil((valuePageSizeBytes * pairs.length) / sizeBytes)
    this.limit = Math.max(1, Math.min(valuePageRowsMax, this.limit * 2, fittingRows))
  }
}
