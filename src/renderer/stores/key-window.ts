/**
 * A list of any number of keys of which only parts are in memory.
 *
 * The parts are pages read at one revision. How many keys stand before a page is known exactly: the server tells with each
 * answer how many keys the range behind its start holds. Every such place is kept as an anchor (key and rank), so that a
 * part that was let go is read again without searching, and the search for a place in unread parts narrows between two
 * anchors. What a watch tells since that revision lies over the pages: a part that is let go and read again shows it still.
 *
 * Example: 1,000,000 keys, rows 0 to 999 loaded, the scroll bar is dragged to the middle. The plan is to ask which rank a
 * key about halfway has (`probe`), again between the two nearest anchors, until one lies less than a page before row
 * 500,000, and to read the page there.
 */

import type { KeyRow } from '../../preload/contract/key-columns.ts'
import type { KeyColumns } from '../../preload/contract/kv.ts'
import type { WatchChange } from '../../preload/contract/watch.ts'
import { keyText } from '../format/bytes-text.ts'
import { KeyShape } from './key-guess.ts'
import type { GuessWay } from './key-guess.ts'
import { compareKeys, rowOfChange, successor } from './key-order.ts'
import { KeyTable } from './key-table.ts'

/** Anchors cost a key each; a list in use gathers one a page and some for each jump. */
const anchorsMax = 20_000
/** Behind an anchor this far away a server that counts what it does not return is asked for too much. */
const strideRows = 20_000

const guessWays: readonly GuessWay[] = ['byPlace', 'byPrefix', 'byHalf']

/** What to ask for, so that a row becomes known. */
export type WindowPlan =
  | {
      readonly kind: 'page'
      readonly from: Uint8Array
      /** Exclusive; undefined: to the end of the list. */
      readonly to: Uint8Array | undefined
      readonly baseRank: number
      readonly limit: number
    }
  /** How many keys lie in `[from, to)`: `from` then has the rank `toRank` minus that. */
  | {
      readonly kind: 'probe'
      readonly from: Uint8Array
      readonly to: Uint8Array | undefined
      readonly toRank: number
    }

interface Anchor {
  readonly key: Uint8Array
  /** Keys before it at the pinned revision. */
  readonly rank: number
}

interface Segment {
  readonly from: Uint8Array
  readonly to: Uint8Array | undefined
  readonly baseRank: number
  readonly baseCount: number
  /** Position of its first row now. */
  start: number
  readonly table: KeyTable
}

interface Overlay {
  readonly key: Uint8Array
  readonly wasInBase: boolean
  row: KeyRow | undefined
  revision: number
}

export interface WindowBounds {
  readonly from: Uint8Array
  readonly to: Uint8Array | undefined
}

/** Rows by position. Not reactive: its owner tells the screen when it changed. */
export class KeyWindow {
  readonly bounds: WindowBounds
  readonly pageRows: number
  private readonly baseCount: number
  private readonly segments: Segment[] = []
  private anchors: Anchor[]
  private readonly overlays = new Map<string, Overlay>()
  private shift = 0
  private readonly shape = new KeyShape()

  /** @param baseCount  keys of the whole list at the pinned revision */
  constructor(bounds: WindowBounds, baseCount: number, pageRows: number) {
    this.bounds = bounds
    this.baseCount = baseCount
    this.pageRows = pageRows
    this.anchors = [{ key: bounds.from, rank: 0 }]
  }

  /** Rows of the list, whether loaded or not. */
  get length(): number {
    return this.baseCount + this.shift
  }

  get loadedCount(): number {
    return this.segments.reduce((sum, segment) => sum + segment.table.length, 0)
  }

  /** Changes that lie over the pages. */
  get overlayCount(): number {
    return this.overlays.size
  }

  /** The row at a position, or undefined while it is not loaded. */
  rowAt(position: number): KeyRow | undefined {
    const segment = this.segmentAt(position)
    return segment?.table.rowAt(position - segment.start)
  }

  keyAt(position: number): Uint8Array | undefined {
    const segment = this.segmentAt(position)
    return segment?.table.keyAt(position - segment.start)
  }

  /** Where a loaded key stands; undefined when it is not loaded or not there. */
  find(key: Uint8Array): number | undefined {
    const segment = this.segmentOfKey(key)
    const found = segment?.table.find(key)
    return segment !== undefined && found?.isFound === true
      ? segment.start + found.position
      : undefined
  }

  /** Calls `visit` for every loaded row in order, until it answers false. */
  eachLoaded(visit: (row: KeyRow, position: number) => boolean): void {
    for (const segment of this.segments) {
      for (let at = 0; at < segment.table.length; at++) {
        if (!visit(segment.table.rowAt(at), segment.start + at)) return
      }
    }
  }

  /** Positions from `first` to `last` that are loaded without a hole around `position`, as keys: what a watch is for. */
  intervalAround(first: number, last: number): WindowBounds | undefined {
    const touching = this.segments.filter(
      (segment) => segment.start <= last && segment.start + segment.table.length > first,
    )
    const from = touching[0] ?? this.segments[0]
    const to = touching.at(-1) ?? this.segments[0]
    if (from === undefined || to === undefined) return this.length === 0 ? this.bounds : undefined
    return { from: from.from, to: to.to }
  }

  /** The first position of `[first, last]` that is not loaded. */
  findMissing(first: number, last: number): number | undefined {
    let position = Math.max(0, first)
    const end = Math.min(last, this.length - 1)
    while (position <= end) {
      const segment = this.segmentAt(position)
      if (segment === undefined) return position
      position = segment.start + segment.table.length
    }
    return undefined
  }

  /**
   * What to ask for next, so that the row at a position becomes known.
   *
   * @param attempt  questions asked so far for this place: where keys are not as they seem, every third one halves
   */
  plan(position: number, attempt: number): WindowPlan {
    const { low, high, target } = this.gapAt(position)
    const { pageRows } = this
    const room = high.rank - low.rank
    if (target - low.rank < pageRows) return this.pageFrom(low, high, room)
    // The highest anchor from which one page reaches the place.
    const anchor = this.anchorBefore(target)
    if (anchor.rank >= low.rank && target - anchor.rank < pageRows)
      return this.pageFrom(anchor, high, high.rank - anchor.rank)
    const under = anchor.rank > low.rank ? anchor : low
    const over = this.anchorAfter(target, high)
    const wanted = Math.max(low.rank, target - (pageRows >> 1))
    return this.probeBetween(under, over, { wanted, way: guessWays[attempt % 3] ?? 'byHalf' })
  }

  /** An anchor far behind a place would make each page count all keys up to it; a probe nearer makes that cheap. */
  planAhead(plan: WindowPlan): WindowPlan | undefined {
    if (plan.kind !== 'page') return undefined
    const over = this.anchorAfter(plan.baseRank + plan.limit, this.endAnchor())
    if (over.rank - plan.baseRank < strideRows * 4) return undefined
    const under = { key: plan.from, rank: plan.baseRank }
    return this.probeBetween(under, over, {
      wanted: plan.baseRank + strideRows,
      way: 'byPlace',
    })
  }

  /** Takes what a probe found: how many keys lie there, and the first of them. */
  noteProbe(
    probe: WindowPlan & { readonly kind: 'probe' },
    count: number,
    first: Uint8Array | undefined,
  ): void {
    const rank = probe.toRank - count
    this.addAnchor({ key: probe.from, rank })
    if (first === undefined) return
    this.shape.learnKey(first)
    // No key lies between the two, so both have that rank; the further one narrows the search.
    this.addAnchor({ key: first, rank })
  }

  /** Takes a page that was asked for by a plan. */
  addPage(
    plan: WindowPlan & { readonly kind: 'page' },
    columns: KeyColumns,
    hasMore: boolean,
  ): void {
    const table = new KeyTable()
    table.append(columns)
    this.shape.learn(columns)
    const { rowCount } = columns
    const isCut = hasMore && rowCount > 0
    const to = isCut ? successor(table.keyAt(table.length - 1)) : plan.to
    const segment: Segment = {
      from: plan.from,
      to,
      baseRank: plan.baseRank,
      baseCount: rowCount,
      start: plan.baseRank,
      table,
    }
    const place = this.segments.findIndex((one) => compareKeys(one.from, plan.from) > 0)
    this.segments.splice(place < 0 ? this.segments.length : place, 0, segment)
    this.addAnchor({ key: segment.from, rank: segment.baseRank })
    if (to !== undefined) this.addAnchor({ key: to, rank: segment.baseRank + rowCount })
    for (const overlay of this.overlays.values()) {
      if (compareKeys(overlay.key, segment.from) < 0) segment.start += deltaOf(overlay)
      else if (isWithin(overlay.key, segment)) lay(overlay, table)
    }
  }

  /** Lets go of all but the pages nearest to what is in sight. */
  keepNear(position: number, segmentsMax: number): void {
    while (this.segments.length > segmentsMax) {
      const first = this.segments[0]
      const last = this.segments.at(-1)
      if (first === undefined || last === undefined) return
      if (position - first.start > last.start - position) this.segments.shift()
      else this.segments.pop()
    }
  }

  /** Takes a change that a watch told. Answers false when it was known before. */
  apply(change: WatchChange): boolean {
    const name = keyText(change.key)
    const known = this.overlays.get(name)
    if (known !== undefined && change.revision <= known.revision) return false
    const row = rowOfChange(change)
    // The first change after the pinned revision tells whether the key was there: a delete needs one, a new key does not.
    const overlay = known ?? {
      key: change.key,
      wasInBase: row === undefined || row.createRevision < change.revision,
      row: undefined,
      revision: 0,
    }
    const before = known === undefined ? 0 : deltaOf(known)
    overlay.row = row
    overlay.revision = change.revision
    this.overlays.set(name, overlay)
    const moved = deltaOf(overlay) - before
    this.shift += moved
    for (const segment of this.segments) {
      if (compareKeys(segment.from, change.key) > 0) segment.start += moved
      else if (isWithin(change.key, segment)) lay(overlay, segment.table)
    }
    return true
  }

  /** Adds values to a row that is there; one that is newer, or gone, stays so. */
  putValue(row: KeyRow): void {
    const segment = this.segmentOfKey(row.key)
    const found = segment?.table.find(row.key)
    if (segment === undefined || found?.isFound !== true) return
    if (segment.table.rowAt(found.position).modRevision <= row.modRevision) segment.table.put(row)
  }

  private pageFrom(anchor: Anchor, high: Anchor | EndAnchor, room: number): WindowPlan {
    const limit = Math.max(1, Math.min(this.pageRows, room))
    // The nearest anchor behind the page bounds what the server has to count; it never cuts the page short.
    const bound = this.anchors.find((one) => one.rank >= anchor.rank + limit)
    const to = bound !== undefined && bound.rank <= high.rank ? bound.key : high.key
    return { kind: 'page', from: anchor.key, to, baseRank: anchor.rank, limit }
  }

  private probeBetween(
    under: Anchor,
    over: Anchor | EndAnchor,
    aim: { readonly wanted: number; readonly way: GuessWay },
  ): WindowPlan {
    const share = (aim.wanted - under.rank) / Math.max(1, over.rank - under.rank)
    const between = { from: under.key, to: over.key }
    const guess = this.shape.guess(between, Math.min(0.98, Math.max(0.02, share)), aim.way)
    // No key lies between the two, so the page from the lower one reaches the place.
    if (guess === undefined) return this.pageFrom(under, over, over.rank - under.rank)
    return { kind: 'probe', from: guess, to: over.key, toRank: over.rank }
  }

  /** The hole in which a position lies, as ranks of the pinned revision. */
  private gapAt(position: number): {
    readonly low: Anchor
    readonly high: Anchor | EndAnchor
    readonly target: number
  } {
    const next = this.segments.findIndex((segment) => segment.start > position)
    const above = this.segments[next]
    const below = next < 0 ? this.segments.at(-1) : this.segments[next - 1]
    const low =
      below?.to === undefined
        ? { key: this.bounds.from, rank: 0 }
        : { key: below.to, rank: below.baseRank + below.baseCount }
    const high = above === undefined ? this.endAnchor() : { key: above.from, rank: above.baseRank }
    const lowPosition = below === undefined ? 0 : below.start + below.table.length
    const target = Math.min(Math.max(low.rank, high.rank - 1), low.rank + position - lowPosition)
    return { low, high, target }
  }

  private endAnchor(): EndAnchor {
    return { key: this.bounds.to, rank: this.baseCount }
  }

  private anchorBefore(rank: number): Anchor {
    const at = this.anchorIndex(rank + 1) - 1
    return this.anchors[at] ?? { key: this.bounds.from, rank: 0 }
  }

  private anchorAfter(rank: number, high: Anchor | EndAnchor): Anchor | EndAnchor {
    const found = this.anchors[this.anchorIndex(rank + 1)]
    return found !== undefined && found.rank <= high.rank ? found : high
  }

  /** Index of the first anchor with at least this rank. */
  private anchorIndex(rank: number): number {
    let low = 0
    let high = this.anchors.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.anchors[middle]?.rank ?? 0) < rank) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Of two anchors with one rank the lower key serves a page and the higher one a search; both are kept. */
  private addAnchor(anchor: Anchor): void {
    let at = this.anchorIndex(anchor.rank)
    for (;;) {
      const other = this.anchors[at]
      if (other === undefined || other.rank > anchor.rank) break
      const order = compareKeys(other.key, anchor.key)
      if (order === 0) return
      if (order > 0) break
      at++
    }
    this.anchors.splice(at, 0, anchor)
    if (this.anchors.length > anchorsMax)
      this.anchors = this.anchors.filter((_, index) => index % 2 === 0)
  }

  private segmentAt(position: number): Segment | undefined {
    let low = 0
    let high = this.segments.length - 1
    while (low <= high) {
      const middle = (low + high) >>> 1
      const segment = this.segments[middle]
      if (segment === undefined) return undefined
      if (position < segment.start) high = middle - 1
      else if (position >= segment.start + segment.table.length) low = middle + 1
      else return segment
    }
    return undefined
  }

  private segmentOfKey(key: Uint8Array): Segment | undefined {
    return this.segments.find((segment) => isWithin(key, segment))
  }
}

/** The end of the list: its key may be unknown. */
interface EndAnchor {
  readonly key: Uint8Array | undefined
  readonly rank: number
}

function isWithin(key: Uint8Array, { from, to }: WindowBounds): boolean {
  return compareKeys(key, from) >= 0 && (to === undefined || compareKeys(key, to) < 0)
}

function deltaOf({ wasInBase, row }: Overlay): number {
  return (row === undefined ? 0 : 1) - (wasInBase ? 1 : 0)
}

function lay(overlay: Overlay, table: KeyTable): void {
  if (overlay.row === undefined) table.delete(overlay.key)
  else table.put(overlay.row)
}
