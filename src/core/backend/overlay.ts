/**
 * Changes kept in memory above an ordered store: what a batch has collected, or what is on its way to disk.
 *
 * A layer remembers removals too (as entries without a value), so that a record removed in the layer stays hidden even
 * though the store below still has it. Layers are stacked, the newest first; a lookup takes the first entry it meets, a
 * scan merges the sorted layers with the store below and drops what is removed.
 *
 * Keys are held as strings of one UTF-16 unit per byte: they are hashed and compared much faster than byte arrays, and
 * their order is byte order. The exception is history, which grows at its end: its records are kept in that order, and
 * only what does not fit into it, like removals by a compaction, goes the other way.
 */

import { compareBytes } from '../base/bytes.ts'
import type { BackendRecord, BucketName, RecordVisitor, ScanOptions } from './backend.ts'
import { sortedTree, type SortedTree } from './sorted-tree.ts'

/** A change of one record; no value means that it is removed. */
export interface OverlayEntry {
  readonly name: string
  readonly key: Uint8Array
  readonly value: Uint8Array | undefined
}

/** A change that has no name yet, or the name that whoever makes it knows. */
export interface OverlayChange {
  readonly key: Uint8Array
  readonly value: Uint8Array | undefined
  readonly name?: string
}

/** Written in key order, except by a compaction. */
const appendedBucket = 'key'

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

/** The changes of one layer to one bucket. */
interface OverlayTable {
  find(name: string): OverlayEntry | undefined
  /** Replaces what there was for the key. The name is made when it is needed and not given. */
  set(key: Uint8Array, value: Uint8Array | undefined, name?: string): void
  /** Every entry once, so that applied one after the other they lead to what the table holds. */
  changes(): Iterable<OverlayEntry>
  entriesWithin(options: ScanOptions): Iterable<OverlayEntry>
  /** False only when nothing lies within the bounds; cheap, so true in doubt. */
  mayHaveWithin(options: ScanOptions): boolean
}

/** Sorted only once somebody scans it, because most tables never are. */
class NamedTable implements OverlayTable {
  private readonly entries = new Map<string, OverlayEntry>()
  private tree: SortedTree<OverlayEntry> | undefined

  get isEmpty(): boolean {
    return this.entries.size === 0
  }

  find(name: string): OverlayEntry | undefined {
    return this.entries.get(name)
  }

  set(key: Uint8Array, value: Uint8Array | undefined, name = nameOfKey(key)): void {
    this.take({ name, key, value })
  }

  /** As `set`, of an entry that exists. */
  take(entry: OverlayEntry): void {
    this.entries.set(entry.name, entry)
    this.tree?.set(entry.name, entry)
  }

  changes(): Iterable<OverlayEntry> {
    return this.entries.values()
  }

  entriesWithin(options: ScanOptions): Iterable<OverlayEntry> {
    return valuesWithin(this.sorted(), options)
  }

  mayHaveWithin(): boolean {
    return this.entries.size > 0
  }

  private sorted(): SortedTree<OverlayEntry> {
    if (this.tree === undefined) {
      const tree = sortedTree<OverlayEntry>()
      for (const entry of this.entries.values()) tree.set(entry.name, entry)
      this.tree = tree
    }
    return this.tree
  }
}

/** An entry that is rarely asked for its name. */
class AppendedEntry implements OverlayEntry {
  readonly key: Uint8Array
  readonly value: Uint8Array | undefined

  constructor(key: Uint8Array, value: Uint8Array | undefined) {
    this.key = key
    this.value = value
  }

  get name(): string {
    return nameOfKey(this.key)
  }
}

/** For keys that mostly come in their order: those that do are a list, the rest hides what is in the list. */
class AppendedTable implements OverlayTable {
  private readonly appended: OverlayEntry[] = []
  private readonly rest = new NamedTable()

  find(name: string): OverlayEntry | undefined {
    const other = this.rest.find(name)
    if (other !== undefined) return other
    const entry = this.appended[this.positionOf(name)]
    return entry?.name === name ? entry : undefined
  }

  set(key: Uint8Array, value: Uint8Array | undefined): void {
    this.take(new AppendedEntry(key, value))
  }

  /** Everything that a newer table holds. */
  absorb(newer: AppendedTable): void {
    for (const entry of newer.appended) this.take(entry)
    for (const entry of newer.rest.changes()) this.take(entry)
  }

  *changes(): Iterable<OverlayEntry> {
    yield* this.appended
    yield* this.rest.changes()
  }

  entriesWithin(options: ScanOptions): Iterable<OverlayEntry> {
    const appended = this.appendedWithin(options)
    if (this.rest.isEmpty) return appended
    return mergeEntries(this.rest.entriesWithin(options), appended, options.isReverse === true)
  }

  mayHaveWithin({ start, end }: ScanOptions): boolean {
    if (!this.rest.isEmpty) return true
    const [first, last] = [this.appended[0], this.appended.at(-1)]
    if (first === undefined || last === undefined) return false
    if (end !== undefined && compareBytes(first.key, end) >= 0) return false
    return start === undefined || compareBytes(last.key, start) >= 0
  }

  private take(entry: OverlayEntry): void {
    const { appended, rest } = this
    const last = appended.at(-1)
    const isNext = last === undefined || compareBytes(entry.key, last.key) > 0
    if (isNext && (rest.isEmpty || rest.find(entry.name) === undefined)) appended.push(entry)
    else rest.set(entry.key, entry.value)
  }

  private *appendedWithin({ start, end, isReverse }: ScanOptions): Iterable<OverlayEntry> {
    const { appended } = this
    const from = start === undefined ? 0 : this.positionOf(nameOfKey(start))
    const to = end === undefined ? appended.length : this.positionOf(nameOfKey(end))
    for (let step = 0; step < to - from; step++) {
      const entry = appended[isReverse === true ? to - 1 - step : from + step]
      if (entry !== undefined) yield entry
    }
  }

  /** Of the first entry that is not before the name. */
  private positionOf(name: string): number {
    let low = 0
    let high = this.appended.length
    while (low < high) {
      const middle = (low + high) >> 1
      const key = this.appended[middle]?.key
      if (key !== undefined && isKeyBefore(key, name)) low = middle + 1
      else high = middle
    }
    return low
  }
}

function isKeyBefore(key: Uint8Array, name: string): boolean {
  const sharedSizeBytes = Math.min(key.length, name.length)
  for (let offset = 0; offset < sharedSizeBytes; offset++) {
    const difference = (key[offset] ?? 0) - name.charCodeAt(offset)
    if (difference !== 0) return difference < 0
  }
  return key.length < name.length
}

/** One layer of changes over all buckets. */
export class OverlayLayer {
  private readonly history = new AppendedTable()
  private readonly named = new Map<BucketName, NamedTable>()
  private historyChangeCount = 0
  /** Changes made, repeated ones counted again. */
  changeCount = 0
  /** Bytes of keys and values with an allowance for bookkeeping; repeated changes counted again. */
  sizeBytes = 0

  get isEmpty(): boolean {
    return this.changeCount === 0
  }

  find(bucket: BucketName, name: string): OverlayEntry | undefined {
    return this.tableOf(bucket)?.find(name)
  }

  has(bucket: BucketName): boolean {
    return this.tableOf(bucket) !== undefined
  }

  /** False only when the layer has nothing of the bucket within the bounds. */
  mayHaveWithin(bucket: BucketName, options: ScanOptions): boolean {
    return this.tableOf(bucket)?.mayHaveWithin(options) ?? false
  }

  /** Notes a change; no value means a removal. */
  set(bucket: BucketName, change: OverlayChange): void {
    const { key, value } = change
    this.changeCount++
    this.sizeBytes += key.length + (value?.length ?? 0) + entryOverheadBytes
    if (bucket === appendedBucket) {
      this.historyChangeCount++
      this.history.set(key, value)
    } else this.namedTable(bucket).set(key, value, change.name)
  }

  /** Applies a newer layer's changes on top of this one's. The newer one is not used any more. */
  absorb(newer: OverlayLayer): void {
    this.history.absorb(newer.history)
    this.historyChangeCount += newer.historyChangeCount
    for (const [bucket, table] of newer.named) {
      const own = this.named.get(bucket)
      if (own === undefined) this.named.set(bucket, table)
      else for (const entry of table.changes()) own.take(entry)
    }
    this.changeCount += newer.changeCount
    this.sizeBytes += newer.sizeBytes
  }

  /** Every change, by bucket; of repeated changes the last. */
  *changes(): Iterable<{ readonly bucket: BucketName; readonly entry: OverlayEntry }> {
    for (const entry of this.history.changes()) yield { bucket: appendedBucket, entry }
    for (const [bucket, table] of this.named) {
      for (const entry of table.changes()) yield { bucket, entry }
    }
  }

  /** Entries of one bucket within the bounds, in the direction asked for. */
  entriesWithin(bucket: BucketName, options: ScanOptions): Iterable<OverlayEntry> {
    return this.tableOf(bucket)?.entriesWithin(options) ?? []
  }

  private tableOf(bucket: BucketName): OverlayTable | undefined {
    if (bucket !== appendedBucket) return this.named.get(bucket)
    return this.historyChangeCount === 0 ? undefined : this.history
  }

  private namedTable(bucket: BucketName): NamedTable {
    let table = this.named.get(bucket)
    if (table === undefined) {
      table = new NamedTable()
      this.named.set(bucket, table)
    }
    return table
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
    if (!layer.mayHaveWithin(bucket, options)) continue
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
      valueStart: 0,
      valueSizeBytes: value.length,
      copyKey: () => key,
      copyValue: (start, end) => (start === undefined ? value : value.subarray(start, end)),
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
