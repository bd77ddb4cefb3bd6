/**
 * Ranges read straight into their answers.
 *
 * The plain idea: an answer's pairs are copied once, from the records to where the socket takes them, in pieces. An answer
 * says first how long it is, so everything is read before any of it leaves; but only the first few megabytes are kept. Of
 * the rest only the size is taken, and it is read again, at the same revision, as the client takes it. However large
 * a range is, and however slow its reader, it costs this node a few megabytes.
 *
 * Example: a range of 300 MB at revision 7. The first 4 MB are packed, for the other 296 the records are measured. Then
 * the first pieces leave, and whenever the client has taken all there is, the next 256 KB are packed. Meanwhile history up
 * to revision 9 is compacted: what is needed of revision 7 is removed only when the answer has ended, or after some minutes;
 * then the answer is broken off.
 */
import { rangeReadOf } from '../apply/range-request.ts'
import { assert } from '../base/assert.ts'
import type { Cancellation } from '../base/cancellation.ts'
import type { Clock, Timer } from '../base/clock.ts'
import type { Settler } from '../base/settler.ts'
import { StoreError } from '../errors/store-error.ts'
import { boundsOf, isEmptyRange } from '../mvcc/key-range.ts'
import type { HistoryHold, MvccStore } from '../mvcc/mvcc-store.ts'
import { PairMeter, PairPacker } from '../mvcc/packed-pairs.ts'
import {
  RangeRequest_SortOrder,
  RangeRequest_SortTarget,
  type RangeRequest,
} from '../proto/gen/rpc.ts'
import type { OpenStore, Reading } from './sliced-ranges.ts'

/** What is kept of an answer until it leaves. */
const keptSizeBytesMax = 4_194_304
/** Read at once, as soon as the client has taken what there was. */
const restStepSizeBytes = 262_144
/** Keys between two looks at the clock. Values may be large, so it begins small. */
const sliceKeysMin = 32
const sliceKeysMax = 2_048
const sliceSizeBytesMax = 1_048_576
/** How often a range begins anew because of a compaction. */
const restartCountMax = 8
/** So long a compaction waits for a slow reader. */
const holdMsMax = 300_000

const allocate = (sizeBytes: number): Uint8Array => Buffer.allocUnsafeSlow(sizeBytes)

/** The pairs of an answer as they go on the wire, and what belongs to them. */
export interface PackedRange {
  /** The first pairs, or all. */
  readonly pieces: readonly Uint8Array[]
  /** Of all pairs. */
  readonly sizeBytes: number
  readonly count: number
  readonly hasMore: boolean
  readonly revision: number
  /** The pairs behind those in the pieces. Must be read to its end, or released. */
  readonly rest: RangeRest | undefined
}

/** Whether the answer has the pairs as they are stored and in the order of their keys. */
export function isPackable(request: RangeRequest): boolean {
  return (
    request.key.length > 0 &&
    request.rangeEnd.length > 0 &&
    !request.countOnly &&
    !request.keysOnly &&
    request.sortTarget === RangeRequest_SortTarget.KEY &&
    request.sortOrder !== RangeRequest_SortOrder.DESCEND &&
    request.minModRevision === 0n &&
    request.maxModRevision === 0n &&
    request.minCreateRevision === 0n &&
    request.maxCreateRevision === 0n
  )
}

/** What is known of a range when reading it has begun. */
interface Begun {
  readonly revision: number
  /** The store's newest one, which the answer names. */
  readonly currentRevision: number
}

/** One range that is being read. */
export class PackedReading implements Reading {
  isDone = false
  private readonly clock: Clock
  private readonly request: RangeRequest
  private readonly settler: Settler<PackedRange>
  private readonly cancellation: Cancellation | undefined
  private readonly limit: number
  private begun: Begun | undefined
  private packer = new PairPacker(allocate)
  private pieces: Uint8Array[] | undefined
  private pairCount = 0
  /** Of the whole range, where that is known before its end. */
  private count: number | undefined
  private next: Uint8Array
  private end: Uint8Array | undefined
  private sliceKeys = sliceKeysMin
  private restartCount = 0
  /** Of what is not kept. */
  private meter: PairMeter | undefined
  private restStart: { readonly key: Uint8Array; readonly pairCount: number } | undefined
  private hold: HistoryHold | undefined
  private open: OpenStore | undefined

  constructor(
    clock: Clock,
    request: RangeRequest,
    outcome: {
      readonly settler: Settler<PackedRange>
      readonly cancellation: Cancellation | undefined
    },
  ) {
    this.clock = clock
    this.request = request
    this.settler = outcome.settler
    this.cancellation = outcome.cancellation
    const limit = request.limit <= 0n ? Number.POSITIVE_INFINITY : Number(request.limit)
    this.limit = limit
    this.next = request.key
  }

  /** Reads on. @returns the number of keys read */
  readSlice(open: OpenStore): number {
    if (this.cancellation?.isCanceled === true) {
      this.fail(new StoreError('contextCanceled'))
      return 0
    }
    this.open = open
    try {
      return this.tryReadSlice(open(this.request, this.cancellation))
    } catch (error) {
      if (!this.restartsAfter(error)) this.fail(error)
      return 0
    }
  }

  private tryReadSlice(store: MvccStore): number {
    const begun = this.begun ?? this.begin(store)
    if (this.isDone) return 0
    const { end, limit } = this
    const slice = store.packSlice(
      { start: this.next, end },
      {
        revision: begun.revision,
        pairCountMax: Math.min(limit - this.pairCount, this.sliceKeys),
        limit: limit - this.pairCount,
        sizeBytesMax: sliceSizeBytesMax,
        sink: this.meter ?? this.packer,
        // Of a range that is read twice only the beginning is kept: it would leave no room for others.
        recorder: this.meter === undefined ? this.packer : undefined,
        hold: this.hold,
      },
    )
    this.pairCount += slice.pairCount
    const { next } = slice
    if (Number.isFinite(limit) && this.count === undefined) {
      const whole = { start: this.request.key, end }
      this.count = next === undefined ? this.pairCount : store.countAt(whole, begun.revision)
    }
    if (next === undefined || this.pairCount === limit) {
      if (next !== undefined && this.count !== undefined) {
        const behindCount = this.count - this.pairCount
        store.noteCount({ start: next, end }, begun.revision, behindCount)
      }
      this.finish(begun)
      return slice.pairCount
    }
    this.next = next
    this.sliceKeys = Math.min(sliceKeysMax, this.sliceKeys * 2)
    if (this.meter === undefined && this.packer.sizeBytes >= keptSizeBytesMax) {
      this.pieces = this.packer.finish()
      this.meter = new PairMeter()
      this.restStart = { key: next, pairCount: this.pairCount }
      this.hold = store.holdHistory(begun.revision)
    }
    return slice.pairCount
  }

  private begin(store: MvccStore): Begun {
    const { range, options } = rangeReadOf(this.request)
    const begun = {
      revision: store.resolveRevision(options.revision),
      currentRevision: store.currentRevision,
    }
    this.begun = begun
    this.end = boundsOf(range).end
    // Few enough to be read at once.
    if (this.limit <= sliceKeysMax) this.sliceKeys = this.limit
    if (isEmptyRange(range)) this.finish(begun)
    return begun
  }

  private finish(begun: Begun): void {
    const pieces = this.pieces ?? this.packer.finish()
    const restSizeBytes = this.meter?.sizeBytes ?? 0
    const count = this.count ?? this.pairCount
    const rest = this.makeRest(begun.revision, restSizeBytes)
    this.isDone = true
    this.settler.succeed({
      pieces,
      sizeBytes: this.packer.sizeBytes + restSizeBytes,
      count,
      hasMore: count > this.pairCount,
      revision: begun.currentRevision,
      rest,
    })
  }

  private makeRest(revision: number, sizeBytes: number): RangeRest | undefined {
    const { hold, restStart, open } = this
    if (hold === undefined || restStart === undefined || open === undefined) return undefined
    const pairCount = this.pairCount - restStart.pairCount
    const read = (bounds: { start: Uint8Array; pairCountMax: number }, sink: PairPacker) =>
      open(this.request, this.cancellation).packSlice(
        { start: bounds.start, end: this.end },
        {
          revision,
          pairCountMax: bounds.pairCountMax,
          limit: bounds.pairCountMax,
          sizeBytesMax: restStepSizeBytes,
          sink,
          recorder: undefined,
          hold,
        },
      )
    return new RangeRest(this.clock, { hold, read, start: restStart.key, pairCount, sizeBytes })
  }

  private fail(error: unknown): void {
    this.isDone = true
    this.hold?.release()
    this.settler.fail(error)
  }

  private restartsAfter(error: unknown): boolean {
    if (!(error instanceof StoreError) || error.code !== 'compacted') return false
    if (this.begun === undefined || this.request.revision > 0n) return false
    if (++this.restartCount > restartCountMax) return false
    this.hold?.release()
    this.hold = undefined
    this.begun = undefined
    this.packer = new PairPacker(allocate)
    this.pieces = undefined
    this.meter = undefined
    this.restStart = undefined
    this.pairCount = 0
    this.count = undefined
    this.next = this.request.key
    return true
  }
}

type ReadRest = (
  bounds: { readonly start: Uint8Array; readonly pairCountMax: number },
  sink: PairPacker,
) => { readonly pairCount: number; readonly next: Uint8Array | undefined }

/** The pairs of an answer that are read as its client takes them. */
export class RangeRest {
  private readonly hold: HistoryHold
  private readonly holdTimer: Timer
  private readonly readOn: ReadRest
  private readonly stepKeys: number
  private next: Uint8Array
  private leftPairCount: number
  private leftSizeBytes: number

  constructor(
    clock: Clock,
    source: {
      readonly hold: HistoryHold
      readonly read: ReadRest
      readonly start: Uint8Array
      readonly pairCount: number
      readonly sizeBytes: number
    },
  ) {
    const { hold, pairCount, sizeBytes } = source
    this.hold = hold
    this.readOn = source.read
    this.next = source.start
    this.leftPairCount = pairCount
    this.leftSizeBytes = sizeBytes
    const averageSizeBytes = Math.max(1, sizeBytes / Math.max(1, pairCount))
    this.stepKeys = Math.ceil((2 * restStepSizeBytes) / averageSizeBytes)
    this.holdTimer = clock.setTimer(holdMsMax, () => {
      hold.release()
    })
  }

  get isDone(): boolean {
    return this.leftPairCount === 0
  }

  /**
   * The next pieces.
   * @throws StoreError  it cannot be read on: the node stops, the caller may not any more, or history is gone at last
   * @throws StorageFault  a record is damaged
   */
  read(): Uint8Array[] {
    const packer = new PairPacker(allocate)
    while (!this.isDone && packer.sizeBytes < restStepSizeBytes) {
      const pairCountMax = Math.min(this.stepKeys, this.leftPairCount)
      const { pairCount, next } = this.readOn({ start: this.next, pairCountMax }, packer)
      this.leftPairCount -= pairCount
      if (next !== undefined) this.next = next
      else assert(this.isDone, 'a range has as many pairs when it is read again')
    }
    this.leftSizeBytes -= packer.sizeBytes
    if (this.isDone) {
      assert(this.leftSizeBytes === 0, 'pairs are of the same size when they are read again')
      this.release()
    }
    return packer.finish()
  }

  /** Nobody wants the rest any more. Doing it twice does nothing. */
  release(): void {
    this.holdTimer.cancel()
    this.hold.release()
  }
}
