/** Walks the trees of an LMDB file where they lie; see `lmdb-map.ts`. */
import type { ScanOptions } from './backend.ts'
import {
  bigValueFlag,
  childOf,
  damagedTree,
  isBranchPage,
  nodeAt,
  nodeCountOf,
  nodeHeadSizeBytes,
  noPage,
  pageHeadSizeBytes,
  type LmdbMap,
  type MapWindow,
} from './lmdb-map.ts'

/** A record where it lies. Set anew for each. */
export interface FoundRecord {
  keyBytes: Uint8Array
  keyStart: number
  keyEnd: number
  valueBytes: Uint8Array
  valueStart: number
  valueSizeBytes: number
}

/** What a walk calls. */
export interface WalkHost {
  /** Told that `found` has been set. Returns whether to go on. */
  readonly onRecord: () => boolean
  /** Sets the value of the record whose key is set: it is not in one piece of the map. */
  readonly readApart: (sizeBytes: number) => void
}

/** Walks forward, over one tree at a time. */
export class PageWalk {
  private readonly map: LmdbMap
  private readonly found: FoundRecord
  private readonly host: WalkHost

  constructor(map: LmdbMap, found: FoundRecord, host: WalkHost) {
    this.map = map
    this.found = found
    this.host = host
  }

  /** @param root  page number, or {@link noPage} */
  visit(root: number, { start, end }: ScanOptions): void {
    if (root !== noPage) this.visitPage(root, start, end)
  }

  /** @returns whether to go on behind the page */
  private visitPage(
    number: number,
    start: Uint8Array | undefined,
    end: Uint8Array | undefined,
  ): boolean {
    const { window, start: page } = this.map.page(number)
    if (!isBranchPage(window, page)) return this.visitLeaf({ window, page }, start, end)
    const nodeCount = nodeCountOf(window, page)
    const first = start === undefined ? 0 : childFor(window, page, start)
    for (let position = first; position < nodeCount; position++) {
      const node = nodeAt(window, page, position)
      if (position > first && end !== undefined && compareKey(window, node, end) >= 0) return false
      if (!this.visitPage(childOf(window, node), position === first ? start : undefined, end)) {
        return false
      }
    }
    return true
  }

  private visitLeaf(
    { window, page }: { readonly window: MapWindow; readonly page: number },
    start: Uint8Array | undefined,
    end: Uint8Array | undefined,
  ): boolean {
    const { found, host } = this
    const { bytes, halves } = window
    const nodeCount = nodeCountOf(window, page)
    const to = end === undefined ? nodeCount : leafEnd(window, { page, nodeCount }, end)
    const pageEnd = page + this.map.pageSizeBytes
    let position = start === undefined ? 0 : firstAtOrBehind(window, { page, nodeCount }, start)
    for (; position < to; position++) {
      const node = nodeAt(window, page, position)
      const at = node >> 1
      const keyStart = node + nodeHeadSizeBytes
      const keyEnd = keyStart + (halves[at + 3] ?? 0)
      const valueSizeBytes = (halves[at] ?? 0) + (halves[at + 1] ?? 0) * 0x1_0000
      found.keyBytes = bytes
      found.keyStart = keyStart
      found.keyEnd = keyEnd
      found.valueSizeBytes = valueSizeBytes
      if (((halves[at + 2] ?? 0) & bigValueFlag) !== 0) this.findBigValue(window, keyEnd)
      else {
        if (keyEnd + valueSizeBytes > pageEnd) throw damagedTree()
        found.valueBytes = bytes
        found.valueStart = keyEnd
      }
      if (!host.onRecord()) return false
    }
    return to === nodeCount
  }

  /** A node names the first of the pages that hold its value and nothing else. */
  private findBigValue({ bytes }: MapWindow, reference: number): void {
    const { found, map } = this
    const number = pageNumberAt(bytes, reference)
    const place = map.page(number)
    const valueStart = place.start + pageHeadSizeBytes
    if (valueStart + found.valueSizeBytes > place.window.bytes.length) {
      this.host.readApart(found.valueSizeBytes)
      return
    }
    found.valueBytes = place.window.bytes
    found.valueStart = valueStart
  }
}

function pageNumberAt(bytes: Uint8Array, offset: number): number {
  let number = 0
  for (let position = 7; position >= 0; position--) {
    number = number * 0x100 + (bytes[offset + position] ?? 0)
  }
  return number
}

/** Of the child of a branch that the key belongs to. The first one begins with the smallest key, whatever its node says. */
function childFor(window: MapWindow, page: number, key: Uint8Array): number {
  let low = 0
  let high = nodeCountOf(window, page) - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (compareKey(window, nodeAt(window, page, middle), key) <= 0) low = middle
    else high = middle - 1
  }
  return low
}

interface Leaf {
  readonly page: number
  readonly nodeCount: number
}

/** Of the first node that is not before the end; most leaves lie wholly before it. */
function leafEnd(window: MapWindow, leaf: Leaf, end: Uint8Array): number {
  const { page, nodeCount } = leaf
  if (nodeCount === 0 || compareKey(window, nodeAt(window, page, nodeCount - 1), end) < 0) {
    return nodeCount
  }
  return firstAtOrBehind(window, leaf, end)
}

function firstAtOrBehind(window: MapWindow, { page, nodeCount }: Leaf, key: Uint8Array): number {
  let low = 0
  let high = nodeCount
  while (low < high) {
    const middle = (low + high) >> 1
    if (compareKey(window, nodeAt(window, page, middle), key) < 0) low = middle + 1
    else high = middle
  }
  return low
}

/** The key of a node against another one: negative, 0 or positive. */
function compareKey({ bytes, halves }: MapWindow, node: number, key: Uint8Array): number {
  const start = node + nodeHeadSizeBytes
  const sizeBytes = halves[(node >> 1) + 3] ?? 0
  const sharedSizeBytes = Math.min(sizeBytes, key.length)
  for (let offset = 0; offset < sharedSizeBytes; offset++) {
    const difference = (bytes[start + offset] ?? 0) - (key[offset] ?? 0)
    if (difference !== 0) return difference
  }
  return sizeBytes - key.length
}
