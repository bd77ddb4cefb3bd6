/**
 * Reads ranges into answers without an object for any pair: first the revisions of the keys, as columns of numbers, then
 * their records into a sink.
 */

import { compareBytes, copyBytes } from '../base/bytes.ts'
import type { BackendReader } from '../backend/backend.ts'
import { visitHeads } from './index-store.ts'
import {
  copyHead,
  findVersionAt,
  isDeletedHead,
  mainOfHead,
  subOfHead,
  type KeyHead,
} from './key-index.ts'
import { keyAfter, type KeyBounds } from './key-range.ts'
import { keyOfStoredRecord, takeRecords, type RevisionList } from './key-record.ts'
import type { PairPacker, PairSink, RecordedPiece } from './packed-pairs.ts'
import { firstKeyOf, partOfRun, type PairRuns } from './pair-runs.ts'

/** Heads noted at once: they are kept until their records are read. */
const notedHeadCountMax = 4_096
/** What has less of both is not kept. */
const keptPairCountMin = 16
const keptSizeBytesMin = 4_096

interface PackOptions {
  readonly revision: number
  /** At most so many pairs, more than 0. */
  readonly pairCountMax: number
  /** Nothing more is read once the sink has taken so much. */
  readonly sizeBytesMax: number
  readonly sink: PairSink
}

/** How a range is packed where runs are kept. */
export interface RunOptions extends PackOptions {
  /** At most so many pairs, also where that costs no reading: `pairCountMax` is for those that are read. */
  readonly limit: number
  /** The sink, where what it takes may become runs. */
  readonly recorder: PairPacker | undefined
}

export interface PackedSlice {
  readonly pairCount: number
  /** Where what was not read begins; undefined: the range has been read to its end. */
  readonly next: Uint8Array | undefined
}

/**
 * As {@link packSlice}, with what runs have of the range. The reader must see what the runs were told of.
 *
 * @throws StorageFault when a record is missing or damaged
 */
export function packSliceByRuns(
  { reader, runs }: { readonly reader: BackendReader; readonly runs: PairRuns },
  bounds: KeyBounds,
  options: RunOptions,
): PackedSlice {
  const { sink, revision, limit, recorder } = options
  const { start, end } = bounds
  const run = runs.find(start, revision)
  if (run !== undefined) {
    const { bytes, pairCount, next } = partOfRun(run, bounds, limit)
    sink.takePacked(bytes)
    runs.noteTaken(pairCount, { isHit: true })
    return { pairCount, next }
  }
  const nextStart = runs.nextStart(start)
  const isCut = nextStart !== undefined && (end === undefined || compareBytes(nextStart, end) < 0)
  const gap: KeyBounds = { start, end: isCut ? nextStart : end }
  const isKept = recorder !== undefined && runs.isWanted(start)
  if (isKept) recorder.beginRecording()
  const slice = readSlice(reader, gap, options)
  if (isKept) {
    const pieces = recorder.endRecording()
    const { changedRevision } = slice
    if (changedRevision !== undefined && isWorthKeeping(pieces, slice.pairCount)) {
      keepRuns(runs, pieces, { start, end: slice.next ?? gap.end, changedRevision })
    }
  }
  runs.noteTaken(slice.pairCount, { isHit: false })
  return { pairCount: slice.pairCount, next: slice.next ?? (isCut ? nextStart : undefined) }
}

/** Finding less than that costs as much as reading it, and it would crowd out larger runs. */
function isWorthKeeping(pieces: readonly RecordedPiece[], pairCount: number): boolean {
  const [first] = pieces
  return (
    first !== undefined && (pairCount >= keptPairCountMin || first.bytes.length >= keptSizeBytesMin)
  )
}

/** Each piece speaks for the keys from its first one to that of the next piece. */
function keepRuns(
  runs: PairRuns,
  pieces: readonly RecordedPiece[],
  stretch: KeyBounds & { readonly changedRevision: number },
): void {
  const { changedRevision } = stretch
  let { start } = stretch
  for (const [position, { bytes, offsets }] of pieces.entries()) {
    const next = pieces[position + 1]
    const end = next === undefined ? stretch.end : firstKeyOf(next)
    runs.add({
      start: copyBytes(start),
      end: end && copyBytes(end),
      bytes,
      offsets,
      changedRevision,
    })
    if (end !== undefined) start = end
  }
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
  return readSlice(reader, bounds, options)
}

interface ReadSlice extends PackedSlice {
  /** The bounds, up to `next`, are as they were at this revision; undefined: some key has changed after the one asked for. */
  readonly changedRevision: number | undefined
}

function readSlice(reader: BackendReader, bounds: KeyBounds, options: PackOptions): ReadSlice {
  const { revision, sink } = options
  const columns = columnsForUse()
  const room = Math.min(options.pairCountMax, notedHeadCountMax)
  const { lastKey, older, newestMain } = noteVersions(reader, bounds, { revision, room, columns })
  resolveOlder(reader, columns, { older, revision })
  const changedRevision = older.length > 0 ? undefined : newestMain
  const sizeBytesEnd = sink.sizeBytes + options.sizeBytesMax
  const takenCount = takeRecords(reader, columns, { sink, sizeBytesEnd })
  if (takenCount < columns.count) {
    const { mains, subs } = columns
    const last = { main: mains[takenCount - 1] ?? 0, sub: subs[takenCount - 1] ?? 0 }
    const next = keyAfter(keyOfStoredRecord(reader, last))
    return { pairCount: takenCount, next, changedRevision }
  }
  const next = lastKey === undefined ? undefined : keyAfter(lastKey)
  return { pairCount: takenCount, next, changedRevision }
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
 * @returns  `lastKey`: the last of these keys when there is room for no more of them; `newestMain`: the newest revision
 *           of those that are not too new, 0 when there is none
 */
function noteVersions(
  reader: BackendReader,
  bounds: KeyBounds,
  {
    revision,
    room,
    columns,
  }: { readonly revision: number; readonly room: number; readonly columns: RevisionColumns },
): {
  readonly lastKey: Uint8Array | undefined
  readonly older: readonly OlderKey[]
  readonly newestMain: number
} {
  const older: OlderKey[] = []
  let newestMain = 0
  let lastKey: Uint8Array | undefined
  visitHeads(reader, bounds, (head) => {
    const { valueBytes, valueStart } = head
    const main = mainOfHead(valueBytes, valueStart)
    if (main <= revision) {
      if (main > newestMain) newestMain = main
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
  return { lastKey, older, newestMain }
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
