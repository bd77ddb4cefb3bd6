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

import { bytesOfLatin1, compareBytes } from '../base/bytes.ts'
import { nameOfKey } from './key-name.ts'
import type { BackendRecord, BucketName, RecordVisitor, ScanOptions } from './backend.ts'
import { sortedTree, type SortedTree } from './sorted-tree.ts'

/** A change of one record; no value means that it is removed. */
export interface OverlayEntry {
  readonly name: string
  readonly key: Uint8Array
  readonly value: Uint8Array | undefined
}

/** What a layer knows of a record that it has removed. */
export const removed = Symbol('removed')

/** What a layer knows of a record: nothing, its value, or that it is removed. */
export type LayerValue = Uint8Array | typeof removed

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

/** The changes of one layer to one bucket. */
interface OverlayTable {
  find(name: string): LayerValue | undefined
  /** Every entry once, so that applied one after the other they lead to what the table holds. */
  changes(): Iterable<OverlayEntry>
  entriesWithin(options: ScanOptions): Iterable<OverlayEntry>
  /** False only when nothing lies within the bounds; cheap, so true in doubt. */
  mayHaveWithin(options: ScanOptions): boolean
}

/** Made when somebody looks at a change: kept for each, entries would be most of the memory that changes take. */
class NamedEntry implements OverlayEntry {
  readonly name: string
  readonly value: Uint8Array | undefined

  constructor(name: string, value: LayerValue) {
    this.name = name
    this.value = value === removed ? undefined : value
  }

  get key(): Uint8Array {
    return bytesOfLatin1(this.name)
  }
}

/** Sorted only once somebody scans it, because most tables never are. */
class NamedTable implements OverlayTable {
  private readonly values = new Map<string, LayerValue>()
  private tree: SortedTree<OverlayEntry> | undefined

  get isEmpty(): boolean {
    return this.values.size === 0
  }

  find(name: string): LayerValue | undefined {
    return this.values.get(name)
  }

  /** Replaces what there was for the name. */
  set(name: string, value: LayerValue): void {
    this.values.set(name, value)
    this.tree?.set(name, new NamedEntry(name, value))
  }

  /** Everything that a newer table holds. */
  absorb(newer: NamedTable): void {
    for (const [name, value] of newer.values) this.set(name, value)
  }

  *changes(): Iterable<OverlayEntry> {
    for (const [name, value] of this.values) yield new NamedEntry(name, value)
  }

  entriesWithin(options: ScanOptions): Iterable<OverlayEntry> {
    return valuesWithin(this.sorted(), options)
  }

  mayHaveWithin(): boolean {
    return this.values.size > 0
  }

  private sorted(): SortedTree<OverlayEntry> {
    if (this.tree === undefined) {
      const tree = sortedTree<OverlayEntry>()
      for (const [name, value] of this.values) tree.set(name, new NamedEntry(name, value))
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

/** The longest key of history: two numbers and two marks. */
const appendedKeySizeBytesMax = 18
/** Per entry: size of the key, number of the memory that holds the value, where in it, and size of the value. */
const placeSize = 4
const noValueSize = -1
const capacityMin = 4

/**
 * For keys that mostly come in their order: those that do are a list, the rest hides what is in the list.
 *
 * The list is columns of numbers, because objects that live for as long as LMDB takes to be durable are what the garbage
 * collector spends most of its time on.
 */
class AppendedTable implements OverlayTable {
  private count = 0
  private lastKey: Uint8Array = noBytes
  private keys = noBytes
  private places = noPlaces
  /** What values lie in. Those of neighbours lie in the same. */
  private readonly buffers: ArrayBufferLike[] = []
  private rest: NamedTable | undefined

  find(name: string): LayerValue | undefined {
    const other = this.rest?.find(name)
    if (other !== undefined) return other
    const position = this.positionOf(name)
    if (position === this.count || this.compareAt(position, name) !== 0) return undefined
    return this.valueAt(position) ?? removed
  }

  set(key: Uint8Array, value: Uint8Array | undefined): void {
    const isNext = key.length <= appendedKeySizeBytesMax && this.isBehindLast(key)
    if (!isNext || this.rest?.find(nameOfKey(key)) !== undefined) {
      this.setRest(nameOfKey(key), value ?? removed)
      return
    }
    const start = this.makeRoom(1) * appendedKeySizeBytesMax
    for (let offset = 0; offset < key.length; offset++) this.keys[start + offset] = key[offset] ?? 0
    const place = this.count * placeSize
    this.places[place] = key.length
    if (value === undefined) this.places[place + 3] = noValueSize
    else {
      this.places[place + 1] = this.numberOf(value.buffer)
      this.places[place + 2] = value.byteOffset
      this.places[place + 3] = value.length
    }
    this.lastKey = key
    this.count++
  }

  /** Everything that a newer table holds. */
  absorb(newer: AppendedTable): void {
    if (newer.count > 0) {
      if (this.rest === undefined && this.isBehindLast(newer.keyAt(0))) this.append(newer)
      else {
        for (let position = 0; position < newer.count; position++) {
          this.set(newer.keyAt(position), newer.valueAt(position))
        }
      }
    }
    for (const { name, value } of newer.rest?.changes() ?? []) {
      this.set(bytesOfLatin1(name), value)
    }
  }

  *changes(): Iterable<OverlayEntry> {
    for (let position = 0; position < this.count; position++) yield this.entryAt(position)
    if (this.rest !== undefined) yield* this.rest.changes()
  }

  entriesWithin(options: ScanOptions): Iterable<OverlayEntry> {
    const appended = this.appendedWithin(options)
    if (this.rest === undefined) return appended
    return mergeEntries(this.rest.entriesWithin(options), appended, options.isReverse === true)
  }

  mayHaveWithin({ start, end }: ScanOptions): boolean {
    if (this.rest !== undefined) return true
    if (this.count === 0) return false
    if (end !== undefined && compareBytes(this.keyAt(0), end) >= 0) return false
    return start === undefined || compareBytes(this.keyAt(this.count - 1), start) >= 0
  }

  /** All of a table whose keys are behind ours. */
  private append(newer: AppendedTable): void {
    const { count } = newer
    const first = this.makeRoom(count)
    this.keys.set(
      newer.keys.subarray(0, count * appendedKeySizeBytesMax),
      first * appendedKeySizeBytesMax,
    )
    this.places.set(newer.places.subarray(0, count * placeSize), first * placeSize)
    let latest = -1
    let number = 0
    for (let position = first; position < first + count; position++) {
      const place = position * placeSize
      if (this.places[place + 3] === noValueSize) continue
      const other = this.places[place + 1] ?? 0
      if (other !== latest) {
        latest = other
        const buffer = newer.buffers[other]
        if (buffer !== undefined) number = this.numberOf(buffer)
      }
      this.places[place + 1] = number
    }
    this.lastKey = newer.lastKey
    this.count += count
  }

  private setRest(name: string, value: LayerValue): void {
    this.rest ??= new NamedTable()
    this.rest.set(name, value)
  }

  /** Lets the columns hold so many entries more. @returns the position of the first of them */
  private makeRoom(addedCount: number): number {
    const { count, keys, places } = this
    const needed = count + addedCount
    if (needed * placeSize > places.length) {
      const capacity = Math.max(capacityMin, needed, count * 2)
      this.keys = new Uint8Array(capacity * appendedKeySizeBytesMax)
      this.keys.set(keys)
      this.places = new Int32Array(capacity * placeSize)
      this.places.set(places)
    }
    return count
  }

  /** The number of the memory that a value lies in. */
  private numberOf(buffer: ArrayBufferLike): number {
    const { buffers } = this
    const last = buffers.length - 1
    if (last >= 0 && buffers[last] === buffer) return last
    return buffers.push(buffer) - 1
  }

  private entryAt(position: number): OverlayEntry {
    return new AppendedEntry(this.keyAt(position), this.valueAt(position))
  }

  /** What was written once is never written again, so views of it may be given away. */
  private keyAt(position: number): Uint8Array {
    const start = position * appendedKeySizeBytesMax
    return this.keys.subarray(start, start + (this.places[position * placeSize] ?? 0))
  }

  private valueAt(position: number): Uint8Array | undefined {
    const place = position * placeSize
    const sizeBytes = this.places[place + 3] ?? 0
    const buffer = this.buffers[this.places[place + 1] ?? 0]
    if (sizeBytes === noValueSize || buffer === undefined) return undefined
    return new Uint8Array(buffer, this.places[place + 2] ?? 0, sizeBytes)
  }

  private isBehindLast(key: Uint8Array): boolean {
    return this.count === 0 || compareBytes(key, this.lastKey) > 0
  }

  private *appendedWithin({ start, end, isReverse }: ScanOptions): Iterable<OverlayEntry> {
    const from = start === undefined ? 0 : this.positionOf(nameOfKey(start))
    const to = end === undefined ? this.count : this.positionOf(nameOfKey(end))
    for (let step = 0; step < to - from; step++) {
      yield this.entryAt(isReverse === true ? to - 1 - step : from + step)
    }
  }

  /** Of the first entry that is not before the name. */
  private positionOf(name: string): number {
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.compareAt(middle, name) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Negative, zero or positive as the key there is before, the same as or behind the name. */
  private compareAt(position: number, name: string): number {
    const start = position * appendedKeySizeBytesMax
    const sizeBytes = this.places[position * placeSize] ?? 0
    const sharedSizeBytes = Math.min(sizeBytes, name.length)
    for (let offset = 0; offset < sharedSizeBytes; offset++) {
      const difference = (this.keys[start + offset] ?? 0) - name.charCodeAt(offset)
      if (difference !== 0) return difference
    }
    return sizeBytes - name.length
  }
}

const noBytes = new Uint8Array(0)
const noPlaces = new Int32Array(0)

/** One layer of changes over all buckets. */
export class OverlayLayer {
  private history = new AppendedTable()
  private readonly named = new Map<BucketName, NamedTable>()
  private historyChangeCount = 0
  /** Changes made, repeated ones counted again. */
  changeCount = 0
  /** Bytes of keys and values with an allowance for bookkeeping; repeated changes counted again. */
  sizeBytes = 0

  get isEmpty(): boolean {
    return this.changeCount === 0
  }

  /** What the layer knows of a record; undefined: nothing. */
  find(bucket: BucketName, name: string): LayerValue | undefined {
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
    } else this.namedTable(bucket).set(change.name ?? nameOfKey(key), value ?? removed)
  }

  /** Applies a newer layer's changes on top of this one's. The newer one is not used any more. */
  absorb(newer: OverlayLayer): void {
    if (this.historyChangeCount === 0) this.history = newer.history
    else this.history.absorb(newer.history)
    this.historyChangeCount += newer.historyChangeCount
    for (const [bucket, table] of newer.named) {
      const own = this.named.get(bucket)
      if (own === undefined) this.named.set(bucket, table)
      else own.absorb(table)
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
