/**
 * Reads ranges into answers without an object for any pair: first the revisions of the keys, as columns of numbers, then
 * their records into a sink.
 */

import { assert } from '../base/assert.ts'
import { concatBytes } from '../base/bytes.ts'
import type { BackendReader } from '../backend/backend.ts'
import { visitHeads, type KeyBounds } from './index-store.ts'
import {
  copyHead,
  findVersionAt,
  isDeletedHead,
  mainOfHead,
  subOfHead,
  type KeyHead,
} from './key-index.ts'
import { keyOfStoredRecord, takeRecords, type RecordSink, type RevisionList } from './key-record.ts'

/** Heads noted at once: they are kept until their records are read. */
const notedHeadCountMax = 4_096

export interface PackOptions {
  readonly revision: number
  /** At most so many pairs, more than 0. */
  readonly pairCountMax: number
  /** Nothing more is read once the sink has taken so much. */
  readonly sizeBytesMax: number
  readonly sink: RecordSink
}

export interface PackedSlice {
  readonly pairCount: number
  /** Where what was not read begins; undefined: the range has been read to its end. */
  readonly next: Uint8Array | undefined
}

/**
 * Reads the first pairs of the bounds that are alive at the revision, whose history must be there.
 *
 * @throws StorageFault when a record is missing or damaged
 */
export function packSlice(
  reader: BackendReader,
  bounds: KeyBounds,
  options: PackOptions,
): PackedSlice {
  const { revision, sink } = options
  const columns = columnsForUse()
  const room = Math.min(options.pairCountMax, notedHeadCountMax)
  const { lastKey, older } = noteVersions(reader, bounds, { revision, room, columns })
  resolveOlder(reader, columns, { older, revision })
  const sizeBytesEnd = sink.sizeBytes + options.sizeBytesMax
  const takenCount = takeRecords(reader, columns, { sink, sizeBytesEnd })
  if (takenCount < columns.count) {
    const { mains, subs } = columns
    const last = { main: mains[takenCount - 1] ?? 0, sub: subs[takenCount - 1] ?? 0 }
    return { pairCount: takenCount, next: keyAfter(keyOfStoredRecord(reader, last)) }
  }
  return {
    pairCount: takenCount,
    next: lastKey === undefined ? undefined : keyAfter(lastKey),
  }
}

/** Revisions in columns, used again for every slice: all of one is done in one turn. */
class RevisionColumns implements RevisionList {
  count = 0
  mains = new Float64Array(64)
  subs = new Float64Array(64)

  add(main: number, sub: number): void {
    if (this.count === this.mains.length) this.grow()
    this.mains[this.count] = main
    this.subs[this.count] = sub
    this.count++
  }

  private grow(): void {
    const { mains, subs } = this
    this.mains = new Float64Array(mains.length * 4)
    this.mains.set(mains)
    this.subs = new Float64Array(subs.length * 4)
    this.subs.set(subs)
  }
}

const usedColumns = new RevisionColumns()

function columnsForUse(): RevisionColumns {
  usedColumns.count = 0
  return usedColumns
}

/** A key whose newest version is too new. */
interface OlderKey {
  /** Its place in the columns. */
  readonly position: number
  readonly head: KeyHead
}

/** Stands for a key that was not alive. No revision is 0. */
const notAlive = 0

/**
 * Notes the versions of the first keys of the bounds that may be alive.
 * @returns the last of these keys when there is room for no more of them
 */
function noteVersions(
  reader: BackendReader,
  bounds: KeyBounds,
  {
    revision,
    room,
    columns,
  }: { readonly revision: number; readonly room: number; readonly columns: RevisionColumns },
): { readonly lastKey: Uint8Array | undefined; readonly older: readonly OlderKey[] } {
  const older: OlderKey[] = []
  let lastKey: Uint8Array | undefined
  visitHeads(reader, bounds, (head) => {
    const { valueBytes, valueStart } = head
    const main = mainOfHead(valueBytes, valueStart)
    if (main <= revision) {
      if (isDeletedHead(valueBytes, valueStart)) return true
      columns.add(main, subOfHead(valueBytes, valueStart))
    } else {
      const copy = copyHead(valueBytes, valueStart, head.valueSizeBytes)
      older.push({ position: columns.count, head: copy })
      columns.add(notAlive, 0)
    }
    if (columns.count < room) return true
    lastKey = head.copyKey()
    return false
  })
  return { lastKey, older }
}

function resolveOlder(
  reader: BackendReader,
  columns: RevisionColumns,
  { older, revision }: { readonly older: readonly OlderKey[]; readonly revision: number },
): void {
  if (older.length === 0) return
  const { mains, subs } = columns
  for (const { position, head } of older) {
    const version = findVersionAt(reader, head, revision)
    if (version?.isTombstone !== false) continue
    mains[position] = version.main
    subs[position] = version.sub
  }
  let count = 0
  for (let position = 0; position < columns.count; position++) {
    const main = mains[position] ?? notAlive
    if (main === notAlive) continue
    mains[count] = main
    subs[count] = subs[position] ?? 0
    count++
  }
  columns.count = count
}

function keyAfter(key: Uint8Array): Uint8Array {
  assert(key.length > 0, 'no key is empty')
  return concatBytes([key, Uint8Array.of(0)])
}
