/**
 * The rows of a watch pane: a ring of limited rows and bytes, in revision order over all its watches.
 *
 * Rows are not objects. Each watch fills blocks of typed columns, a thousand rows a block, with the bytes of keys and values
 * one after the other behind them; one sorted list of ids says in which order they stand. The rows of one watch come in
 * revision order, so that dropping the oldest rows of all frees every watch's blocks from their front.
 */

import { watchColumnFlags, watchPartsPerRow } from '../../preload/contract/watch-columns.ts'
import type { WatchColumns, WatchNotice } from '../../preload/contract/watch.ts'
import type { Operation } from '../components/marks/operation.ts'
import { SortedIds } from './sorted-ids.ts'

/** What stands in the list where information ends or goes on. */
export type Seam = Extract<WatchNotice, { kind: 'interrupted' | 'resumed' | 'gap' | 'dropped' }>

/** A seam, and for a resumed stream how long there was none. */
export interface SeamEntry {
  readonly seam: Seam
  readonly seenAtMs: number
  readonly silentMs?: number
  /** For a resumed stream: the member that served before, when it is another. */
  readonly previousEndpoint?: string
  /** For a gap: the user asked for what is left, so nothing was lost. */
  readonly isBeforeStart?: boolean
  /** Of a resume: what was to come next had been compacted. */
  readonly isAfterGap?: boolean
}

/** One change as the list shows it. The bytes are views into the log. */
export interface EventRow {
  readonly id: number
  readonly watchId: number
  readonly op: Operation
  readonly key: Uint8Array
  readonly revision: number
  /** 0 for a delete. */
  readonly createRevision: number
  readonly version: number
  readonly lease: bigint
  readonly hasPrevious: boolean
  readonly previousRevision: number
  readonly previousVersion: number
  /** Beginning of the new value; empty for a delete. */
  readonly value: Uint8Array
  readonly sizeBytes: number
  readonly previousValue: Uint8Array
  readonly previousSizeBytes: number
  readonly seenAtMs: number
  /** It happened before the watch began, so nobody here knows when. */
  readonly isReplayed: boolean
}

const rowsPerBlock = 1_024
const arenaMinBytes = 16_384
/** By code; 0 is a seam. */
const ops: readonly Operation[] = ['create', 'put', 'delete', 'expire']
const seamCode = 0

export class WatchLog {
  /** Every row, oldest revision first. */
  readonly order: SortedIds
  rowsMax: number
  bytesMax: number
  /** Rows that left at the front because the ring was full. */
  droppedCount = 0
  private keptBytes = 0
  private readonly blocks = new Map<number, Block>()
  /** The block that each watch fills. */
  private readonly open = new Map<number, number>()
  private readonly seams = new Map<number, SeamEntry>()
  private readonly lastPlaces = new Map<number, number>()
  private nextBlock = 0

  constructor({ rowsMax, bytesMax }: { readonly rowsMax: number; readonly bytesMax: number }) {
    this.rowsMax = rowsMax
    this.bytesMax = bytesMax
    this.order = new SortedIds((id) => this.placeOf(id))
  }

  get rowCount(): number {
    return this.order.length
  }

  /** Rows that are changes; the others say where information ends or goes on. */
  get changeCount(): number {
    return this.order.length - this.seams.size
  }

  /** Bytes of keys, values and columns that are kept. */
  get sizeBytes(): number {
    return this.keptBytes
  }

  /**
   * Adds the changes of one watch behind its others.
   *
   * @param source   which watch, when they were seen, and the revision up to which they are history
   * @returns        ids of the rows
   */
  append(
    columns: WatchColumns,
    source: {
      readonly watchId: number
      readonly seenAtMs: number
      readonly headRevision: number
      /** First rows to leave out. */
      readonly skipCount: number
    },
  ): number[] {
    const added: number[] = []
    for (let row = source.skipCount; row < columns.rowCount; row++) {
      const { id, block, at } = this.nextRow(source.watchId)
      const revision = columns.revisions[row] ?? 0
      block.codes[at] = codeOf(columns, row)
      block.places[at] = revision
      block.take(at, columns, row)
      block.seenAtMs[at] = source.seenAtMs
      if (revision <= source.headRevision) block.flags[at] = (block.flags[at] ?? 0) | replayedFlag
      this.keptBytes += block.sizeOf(at)
      this.lastPlaces.set(source.watchId, revision)
      added.push(id)
    }
    this.order.merge(added)
    return added
  }

  /** Adds a seam; `place` is a revision, or half of one more to stand between two. */
  appendSeam(watchId: number, place: number, entry: SeamEntry): number {
    const { id, block, at } = this.nextRow(watchId)
    // Rows of a watch stand in order, or its blocks would not empty from their front.
    block.codes[at] = seamCode
    block.places[at] = Math.max(place, this.lastPlaces.get(watchId) ?? 0)
    this.lastPlaces.set(watchId, block.places[at] ?? place)
    block.endPart(at, noBytes)
    this.seams.set(id, entry)
    this.keptBytes += block.sizeOf(at)
    this.order.merge([id])
    return id
  }

  /** Drops the oldest rows beyond the limits. @returns how many */
  trim(): number {
    let count = Math.max(0, this.rowCount - this.rowsMax)
    let freed = 0
    for (let at = 0; at < this.rowCount; at++) {
      if (at >= count && this.keptBytes - freed <= this.bytesMax) break
      const id = this.order.at(at) ?? 0
      freed += this.release(id)
      count = Math.max(count, at + 1)
    }
    this.order.dropFront(count)
    this.keptBytes -= freed
    this.droppedCount += count
    return count
  }

  clear(): void {
    this.order.clear()
    this.blocks.clear()
    this.open.clear()
    this.seams.clear()
    this.keptBytes = 0
  }

  /** Whether a row is still there. */
  has(id: number): boolean {
    const block = this.blocks.get(Math.floor(id / rowsPerBlock))
    const at = id % rowsPerBlock
    return block !== undefined && at < block.count && block.released[at] === 0
  }

  placeOf(id: number): number {
    return this.blocks.get(Math.floor(id / rowsPerBlock))?.places[id % rowsPerBlock] ?? 0
  }

  watchIdOf(id: number): number {
    return this.blocks.get(Math.floor(id / rowsPerBlock))?.watchId ?? 0
  }

  /** What a row says; undefined for a seam. */
  opOf(id: number): Operation | undefined {
    const code = this.blocks.get(Math.floor(id / rowsPerBlock))?.codes[id % rowsPerBlock]
    return code === undefined ? undefined : ops[code - 1]
  }

  /** When a row was seen; one that is history was there before. */
  seenOf(id: number): { readonly atMs: number; readonly isReplayed: boolean } {
    const block = this.blocks.get(Math.floor(id / rowsPerBlock))
    const at = id % rowsPerBlock
    const flags = block?.flags[at] ?? 0
    return { atMs: block?.seenAtMs[at] ?? 0, isReplayed: (flags & replayedFlag) !== 0 }
  }

  seamOf(id: number): SeamEntry | undefined {
    return this.seams.get(id)
  }

  /** A later finding about a row: its key went because its lease ended. */
  markExpired(id: number): void {
    const block = this.blocks.get(Math.floor(id / rowsPerBlock))
    if (block !== undefined && this.opOf(id) === 'delete')
      block.codes[id % rowsPerBlock] = ops.indexOf('expire') + 1
  }

  keyOf(id: number): Uint8Array {
    return this.partOf(id, 0)
  }

  /** Beginning of the new value, or of the old one when the key went. */
  valueOf(id: number): Uint8Array {
    const op = this.opOf(id)
    return this.partOf(id, op === 'delete' || op === 'expire' ? 2 : 1)
  }

  /** The whole row; undefined for a seam and for what left. */
  rowOf(id: number): EventRow | undefined {
    const block = this.blocks.get(Math.floor(id / rowsPerBlock))
    const op = this.opOf(id)
    if (block === undefined || op === undefined) return undefined
    const at = id % rowsPerBlock
    const flags = block.flags[at] ?? 0
    return {
      id,
      op,
      watchId: block.watchId,
      key: block.part(at, 0),
      revision: block.places[at] ?? 0,
      createRevision: block.createRevisions[at] ?? 0,
      version: block.versions[at] ?? 0,
      lease: block.leases[at] ?? 0n,
      hasPrevious: (flags & watchColumnFlags.hasPrevious) !== 0,
      previousRevision: block.previousRevisions[at] ?? 0,
      previousVersion: block.previousVersions[at] ?? 0,
      value: block.part(at, 1),
      sizeBytes: block.sizesBytes[at] ?? 0,
      previousValue: block.part(at, 2),
      previousSizeBytes: block.previousSizesBytes[at] ?? 0,
      seenAtMs: block.seenAtMs[at] ?? 0,
      isReplayed: (flags & replayedFlag) !== 0,
    }
  }

  private partOf(id: number, part: number): Uint8Array {
    return this.blocks.get(Math.floor(id / rowsPerBlock))?.part(id % rowsPerBlock, part) ?? noBytes
  }

  private nextRow(watchId: number): { id: number; block: Block; at: number } {
    let number = this.open.get(watchId)
    let block = number === undefined ? undefined : this.blocks.get(number)
    if (number === undefined || block === undefined || block.count === rowsPerBlock) {
      number = this.nextBlock++
      block = new Block(watchId)
      this.blocks.set(number, block)
      this.open.set(watchId, number)
    }
    const at = block.count++
    return { id: number * rowsPerBlock + at, block, at }
  }

  /** Gives a row up. @returns bytes that were counted for it */
  private release(id: number): number {
    const number = Math.floor(id / rowsPerBlock)
    const block = this.blocks.get(number)
    if (block === undefined) return 0
    const at = id % rowsPerBlock
    block.released[at] = 1
    block.releasedCount++
    this.seams.delete(id)
    const freed = block.sizeOf(at)
    if (block.releasedCount === block.count) this.blocks.delete(number)
    return freed
  }
}

/** Columns and flags of a row beside its bytes. */
const rowOverheadBytes = 100
const replayedFlag = 128
const noBytes = new Uint8Array(0)

/** A thousand rows of one watch. */
class Block {
  readonly watchId: number
  count = 0
  releasedCount = 0
  readonly codes = new Uint8Array(rowsPerBlock)
  readonly flags = new Uint8Array(rowsPerBlock)
  readonly released = new Uint8Array(rowsPerBlock)
  readonly places = new Float64Array(rowsPerBlock)
  readonly createRevisions = new Float64Array(rowsPerBlock)
  readonly versions = new Float64Array(rowsPerBlock)
  readonly leases = new BigInt64Array(rowsPerBlock)
  readonly sizesBytes = new Int32Array(rowsPerBlock)
  readonly previousSizesBytes = new Int32Array(rowsPerBlock)
  readonly previousRevisions = new Float64Array(rowsPerBlock)
  readonly previousVersions = new Float64Array(rowsPerBlock)
  readonly seenAtMs = new Float64Array(rowsPerBlock)
  private readonly offsets = new Uint32Array(rowsPerBlock * watchPartsPerRow + 1)
  private arena = new Uint8Array(arenaMinBytes)

  constructor(watchId: number) {
    this.watchId = watchId
  }

  /** Copies a row of the columns to the row `at`, which is the last one. */
  take(at: number, columns: WatchColumns, row: number): void {
    this.flags[at] = columns.flags[row] ?? 0
    this.createRevisions[at] = columns.createRevisions[row] ?? 0
    this.versions[at] = columns.versions[row] ?? 0
    this.leases[at] = columns.leases[row] ?? 0n
    this.sizesBytes[at] = columns.sizesBytes[row] ?? 0
    this.previousSizesBytes[at] = columns.previousSizesBytes[row] ?? 0
    this.previousRevisions[at] = columns.previousRevisions[row] ?? 0
    this.previousVersions[at] = columns.previousVersions[row] ?? 0
    const first = row * watchPartsPerRow
    const start = columns.offsets[first] ?? 0
    const end = columns.offsets[first + watchPartsPerRow] ?? start
    const to = this.endPart(at, columns.bytes.subarray(start, end))
    for (let part = 1; part < watchPartsPerRow; part++)
      this.offsets[at * watchPartsPerRow + part] =
        to + (columns.offsets[first + part] ?? start) - start
  }

  /** Puts all bytes of a row behind those of the one before. @returns where they begin */
  endPart(at: number, bytes: Uint8Array): number {
    const start = this.offsets[at * watchPartsPerRow] ?? 0
    const end = start + bytes.length
    if (end > this.arena.length) {
      const larger = new Uint8Array(Math.max(end, this.arena.length * 2))
      larger.set(this.arena)
      this.arena = larger
    }
    this.arena.set(bytes, start)
    this.offsets.fill(end, at * watchPartsPerRow + 1, (at + 1) * watchPartsPerRow + 1)
    return start
  }

  part(at: number, part: number): Uint8Array {
    const index = at * watchPartsPerRow + part
    return this.arena.subarray(this.offsets[index], this.offsets[index + 1])
  }

  sizeOf(at: number): number {
    const start = this.offsets[at * watchPartsPerRow] ?? 0
    return (this.offsets[(at + 1) * watchPartsPerRow] ?? start) - start + rowOverheadBytes
  }
}

function codeOf(columns: WatchColumns, row: number): number {
  const isPut = ((columns.flags[row] ?? 0) & watchColumnFlags.put) !== 0
  if (!isPut) return ops.indexOf('delete') + 1
  return ops.indexOf((columns.versions[row] ?? 0) === 1 ? 'create' : 'put') + 1
}
