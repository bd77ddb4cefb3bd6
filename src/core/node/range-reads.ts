/**
 * Ranges out of this node's own state: confirmed first, unless the request does without, then read at once where they are
 * small and in slices where they may be large.
 */
import type { RangeResult } from '../apply/apply-result.ts'
import { rangeReadOf, readRangeRequest } from '../apply/range-request.ts'
import type { Cancellation } from '../base/cancellation.ts'
import type { Clock } from '../base/clock.ts'
import { settled, type Settler } from '../base/settler.ts'
import type { RangeRequest } from '../proto/gen/rpc.ts'
import type { LinearizableReads } from './linearizable-read.ts'
import { isPackable, PackedReading, type PackedRange } from './packed-ranges.ts'
import { SlicedRanges, type OpenStore } from './sliced-ranges.ts'

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

  constructor(clock: Clock, reads: LinearizableReads, open: OpenStore) {
    this.clock = clock
    this.reads = reads
    this.open = open
    this.sliced = new SlicedRanges(clock, open)
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
    const reading = new PackedReading(this.clock, request, { settler, cancellation })
    if (!isSmall(request)) this.sliced.beginReading(reading)
    else while (!reading.isDone) reading.readSlice(this.open)
  }

  /** Reads, whatever the request says about confirming: the caller has done that. Perhaps before the call returns. */
  read(
    request: RangeRequest,
    settler: Settler<RangeResult>,
    cancellation: Cancellation | undefined,
  ): void {
    this.rangeCount++
    if (!isSmall(request)) {
      this.sliced.begin(request, settler, cancellation)
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
}

function isSmall(request: RangeRequest): boolean {
  if (request.rangeEnd.length === 0 || request.countOnly) return true
  if (request.key.length === 0) return true
  const { limit } = rangeReadOf(request).options
  return limit > 0 && limit <= smallLimitMax
}
