/**
 * Ranges out of this node's own state: confirmed first, unless the request does without, then read at once where they are
 * small and in slices where they may be large.
 */
import type { RangeResult } from '../apply/apply-result.ts'
import { rangeReadOf, readRangeRequest } from '../apply/range-request.ts'
import type { Cancellation } from '../base/cancellation.ts'
import type { Clock } from '../base/clock.ts'
import { settled, type Settler } from '../base/settler.ts'
import { boundsOf, isEmptyRange } from '../mvcc/key-range.ts'
import type { PastCounting } from '../mvcc/past-count.ts'
import type { RangeRequest } from '../proto/gen/rpc.ts'
import type { ApplyPace } from './apply-pace.ts'
import type { LinearizableReads } from './linearizable-read.ts'
import { isPackable, PackedReading, type PackedRange } from './packed-ranges.ts'
import { CountReading, SlicedRanges, type OpenStore } from './sliced-ranges.ts'

/** Ranges with a limit up to this are small, whatever the store holds. */
const smallLimitMax = 512

/** All range reads of one node. */
export class RangeReads {
  /** Ranges since the start, those within transactions apart. */
  rangeCount = 0
  private readonly clock: Clock
  private readonly reads: LinearizableReads
  private readonly open: OpenStore
  private readonly sliced: SlicedRanges
  private readonly pace: ApplyPace

  constructor(
    parts: {
      readonly clock: Clock
      readonly reads: LinearizableReads
      readonly applyPace: ApplyPace
    },
    open: OpenStore,
  ) {
    this.clock = parts.clock
    this.reads = parts.reads
    this.pace = parts.applyPace
    this.open = open
    this.sliced = new SlicedRanges(this.clock, open)
  }

  /** Whether a linearizable read may be served at once, as a serializable one always is. */
  isConfirmed(): boolean {
    return this.reads.isConfirmed()
  }

  /**
   * Confirms and reads.
   * @throws StoreError  what confirming and reading may fail with
   */
  range(request: RangeRequest, cancellation: Cancellation | undefined): Promise<RangeResult> {
    return settled((settler) => {
      const reading: Settler<void> = {
        succeed: () => {
          this.read(request, settler, cancellation)
        },
        fail: (error) => {
          settler.fail(error)
        },
      }
      if (request.serializable || this.isConfirmed()) reading.succeed()
      else this.reads.join(reading, cancellation)
    })
  }

  /** Whether {@link readPacked} can read it. */
  isPackable(request: RangeRequest): boolean {
    return isPackable(request)
  }

  /** As {@link read}, into pieces of an answer. */
  readPacked(
    request: RangeRequest,
    settler: Settler<PackedRange>,
    cancellation: Cancellation | undefined,
  ): void {
    this.rangeCount++
    this.countFirst(request, cancellation, () => {
      this.readPackedCounted(request, settler, cancellation)
    })
  }

  private readPackedCounted(
    request: RangeRequest,
    settler: Settler<PackedRange>,
    cancellation: Cancellation | undefined,
  ): void {
    const small = isSmall(request)
    const told = small ? settler : this.timed(settler)
    const reading = new PackedReading(this.clock, request, { settler: told, cancellation })
    if (!small) this.sliced.beginReading(reading)
    else while (!reading.isDone) reading.readSlice(this.open)
  }

  /** Reads, whatever the request says about confirming: the caller has done that. Perhaps before the call returns. */
  read(
    request: RangeRequest,
    settler: Settler<RangeResult>,
    cancellation: Cancellation | undefined,
  ): void {
    this.rangeCount++
    this.countFirst(request, cancellation, () => {
      this.readCounted(request, settler, cancellation)
    })
  }

  private readCounted(
    request: RangeRequest,
    settler: Settler<RangeResult>,
    cancellation: Cancellation | undefined,
  ): void {
    if (!isSmall(request)) {
      this.sliced.begin(request, this.timed(settler), cancellation)
      return
    }
    let result: RangeResult
    try {
      result = readRangeRequest(this.open(request, cancellation), request)
    } catch (error) {
      settler.fail(error)
      return
    }
    settler.succeed(result)
  }

  /** Reads, perhaps later: a count of the past that it needs is made in slices, however small the range itself is. */
  private countFirst(
    request: RangeRequest,
    cancellation: Cancellation | undefined,
    read: () => void,
  ): void {
    const counting = this.beginCount(request, cancellation)
    if (counting === undefined) read()
    else this.sliced.beginReading(new CountReading({ request, cancellation }, counting, read))
  }

  private beginCount(
    request: RangeRequest,
    cancellation: Cancellation | undefined,
  ): PastCounting | undefined {
    const { key, rangeEnd, revision, limit, countOnly } = request
    if (revision <= 0n || key.length === 0 || rangeEnd.length === 0) return undefined
    if (limit <= 0n && !countOnly) return undefined
    const { range, options } = rangeReadOf(request)
    if (isEmptyRange(range)) return undefined
    try {
      return this.open(request, cancellation).beginCount(boundsOf(range), options.revision)
    } catch {
      // Reading fails for the same reason, and tells it to whoever asked.
      return undefined
    }
  }

  /** A large read that takes too long is told of; a small one is too quick for that. */
  private timed<Result>(settler: Settler<Result>): Settler<Result> {
    const beganMs = this.clock.monotonicMs()
    return {
      succeed: (result) => {
        this.pace.noteRead('range', beganMs)
        settler.succeed(result)
      },
      fail: (error) => {
        this.pace.noteRead('range', beganMs)
        settler.fail(error)
      },
    }
  }
}

function isSmall(request: RangeRequest): boolean {
  if (request.rangeEnd.length === 0 || request.countOnly) return true
  if (request.key.length === 0) return true
  const { limit } = rangeReadOf(request).options
  return limit > 0 && limit <= smallLimitMax
}
