/**
 * Changes kept in memory above an ordered store: what a batch has collected, or what is on its way to disk.
 *
 * A layer remembers removals too (as entries without a value), so that a record removed in the layer stays hidden even
 * though the store below still has it. Layers are stacked, the newest first; a lookup takes the first entry it meets, a
 * scan merges the sorted layers with the store below and drops what is removed.
 *
 * Keys are held as strings of one UTF-16 unit per byte: they are hashed and compared much faster than byte arrays, and
 * their order is byte order.
 */

import type { BackendRecord, BucketName, RecordVisitor, ScanOptions } from './backend.ts'
import { sortedTree, type SortedTree } from './sorted-tree.ts'

/** A change of one record; no value means that it is removed. */
export interface OverlayEntry {
  readonly name: string
  readonly key: Uint8Array
  readonly value: Uint8Array | undefined
}

/** What a removed or added record costs in memory beside its bytes; an estimate for limits. */
const entryOverheadBytes = 100

/** Undeclared in Node's types: decodes without making a Buffer first, which this store does for every key it meets. */
const decoder = Buffer.prototype as unknown as {
  latin1Slice(this: Uint8Array, start: number, end: number): string
}

/** The key as a string of one unit per byte. */
export function nameOfKey(key: Uint8Array): string {
  return decoder.latin1Slice.call(key, 0, key.length)
}

/** The changes of one layer to one bucket. Sorted only once somebody scans it, because most layers never are. */
class OverlayTable {
  readonly entries = new Map<string, OverlayEntry>()
  private tree: SortedTree<OverlayEntry> | undefined

  set(entry: OverlayEntry): void {
    this.entries.set(entry.name, entry)
    this.tree?.set(entry.name, entry)
  }

  sorted(): SortedTree<OverlayEntry> {
    if (this.tree === undefined) {
      const tree = sortedTree<OverlayEntry>()
      for (const entry of this.entries.values()) tree.set(entry.name, entry)
      this.tree = tree
    }
    return this.tree
  }
}

/** One layer of changes over all buckets. */
export class OverlayLayer {
  private readonly tables = new Map<BucketName, OverlayTable>()
  /** Changes made, repeated ones counted again. */
  changeCount = 0
  /** Bytes of keys and values with an allowance for bookkeeping; repeated changes counted again. */
  sizeBytes = 0

  get isEmpty(): boolean {
    return this.changeCount === 0
  }

  find(bucket: BucketName, name: string): OverlayEntry | undefined {
    return this.tables.get(bucket)?.entries.get(name)
  }

  has(bucket: BucketName): boolean {
    return this.tables.has(bucket)
  }

  set(bucket: BucketName, entry: OverlayEntry): void {
    let table = this.tables.get(bucket)
    if (table === undefined) {
      table = new OverlayTable()
      this.tables.set(bucket, table)
    }
    table.set(entry)
    this.changeCount++
    this.sizeBytes += entry.key.length + (entry.value?.length ?? 0) + entryOverheadBytes
  }

  /** Applies a newer layer's changes on top of this one's. */
  absorb(newer: OverlayLayer): void {
    for (const [bucket, table] of newer.tables) {
      const own = this.tables.get(bucket)
      if (own === undefined) this.tables.set(bucket, table)
      else for (const entry of table.entries.values()) own.set(entry)
    }
    this.changeCount += newer.changeCount
    this.sizeBytes += newer.sizeBytes
  }

  /** Every change, by bucket; order within a bucket is that of the first change of each key. */
  *changes(): Iterable<{ readonly bucket: BucketName; readonly entry: OverlayEntry }> {
    for (const [bucket, table] of this.tables) {
      for (const entry of table.entries.values()) yield { bucket, entry }
    }
  }

  /** Entries of one bucket within the bounds, in the direction asked for. */
  *entriesWithin(bucket: BucketName, options: ScanOptions): IterableIterator<OverlayEntry> {
    const table = this.tables.get(bucket)
    if (table === undefined) return
    yield* valuesWithin(table.sorted(), options)
  }
}

/** Values of a sorted tree within the bounds, in the direction asked for. The tree must not change meanwhile. */
export function* valuesWithin<Value>(
  tree: SortedTree<Value>,
  options: ScanOptions,
): IterableIterator<Value> {
  const start = options.start === undefined ? undefined : nameOfKey(options.start)
  const end = options.end === undefined ? undefined : nameOfKey(options.end)
  if (options.isReverse === true) {
    for (const [name, value] of tree.entriesReversed(end, undefined, true)) {
      if (start !== undefined && name < start) return
      yield value
    }
  } else {
    for (const [name, value] of tree.entries(start)) {
      if (end !== undefined && name >= end) return
      yield value
    }
  }
}

/**
 * Merges a scan of the store below with the layers above it, the newest first.
 *
 * @param below records within the same bounds and in the same direction
 */
export function scanMerged(
  layers: readonly OverlayLayer[],
  bucket: BucketName,
  options: ScanOptions,
  below: Iterable<BackendRecord>,
): Iterable<BackendRecord> {
  let merged: Iterable<OverlayEntry> | undefined
  const isReverse = options.isReverse === true
  for (const layer of layers) {
    if (!layer.has(bucket)) continue
    const entries = layer.entriesWithin(bucket, options)
    merged = merged === undefined ? entries : mergeEntries(merged, entries, isReverse)
  }
  return merged === undefined ? below : mergeRecords(merged, below, isReverse)
}

/** Shows records that exist already to a visitor. */
export function visitRecords(records: Iterable<BackendRecord>, visitor: RecordVisitor): void {
  for (const { key, value } of records) {
    const isWanted = visitor({
      keyBytes: key,
      keyStart: 0,
      keyEnd: key.length,
      valueBytes: value,
      valueSizeBytes: value.length,
      copyKey: () => key,
      copyValue: () => value,
    })
    if (!isWanted) return
  }
}

function* mergeEntries(
  newer: Iterable<OverlayEntry>,
  older: Iterable<OverlayEntry>,
  isReverse: boolean,
): Iterable<OverlayEntry> {
  const newerEntries = newer[Symbol.iterator]()
  let next = newerEntries.next()
  for (const entry of older) {
    while (next.done !== true && isBefore(next.value.name, entry.name, isReverse)) {
      yield next.value
      next = newerEntries.next()
    }
    if (next.done !== true && next.value.name === entry.name) continue
    yield entry
  }
  while (next.done !== true) {
    yield next.value
    next = newerEntries.next()
  }
}

function* mergeRecords(
  entries: Iterable<OverlayEntry>,
  below: Iterable<BackendRecord>,
  isReverse: boolean,
): Iterable<BackendRecord> {
  const changes = entries[Symbol.iterator]()
  let next = changes.next()
  for (const record of below) {
    if (next.done === true) {
      yield record
      continue
    }
    const name = nameOfKey(record.key)
    while (next.done !== true && isBefore(next.value.name, name, isReverse)) {
      if (next.value.value !== undefined) yield { key: next.value.key, value: next.value.value }
      next = changes.next()
    }
    if (next.done !== true && next.value.name === name) continue
    yield record
  }
  while (next.done !== true) {
    if (next.value.value !== undefined) yield { key: next.value.key, value: next.value.value }
    next = changes.next()
  }
}

function isBefore(left: string, right: string, isReverse: boolean): boolean {
  return isReverse ? left > right : left < right
}
