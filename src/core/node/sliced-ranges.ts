/**
 * Large ranges, read a few milliseconds at a time.
 *
 * The problem: a range may hold millions of keys, and while it is read nothing else happens: no heartbeat is sent, and a
 * leader that is silent for a second is replaced. The plain idea: a range without a small limit is read in slices at one
 * revision, which history allows however much is written meanwhile; when a slice has used up the turn's time, the rest
 * follows in a later turn. One range is read at a time, so that waiting ones cost no memory.
 *
 * Example: 10,000 keys at revision 7 take six turns of 2,000 keys. What is written between them has revisions 8, 9, … and
 * is not seen. Should history up to 8 be compacted meanwhile, then the read begins anew at the newest revision, which is
 * as good an answer, unless the request named its revision.
 */
import type { RangeResult } from '../apply/apply-result.ts'
import { rangeReadOf, rangeResultOf } from '../apply/range-request.ts'
import { concatBytes } from '../base/bytes.ts'
import type { Cancellation } from '../base/cancellation.ts'
import type { Clock } from '../base/clock.ts'
import type { Settler } from '../base/settler.ts'
import { StoreError } from '../errors/store-error.ts'
import type { MvccStore } from '../mvcc/mvcc-store.ts'
import type { PastCounting } from '../mvcc/past-count.ts'
import type { ReadRangeResult } from '../mvcc/read-view.ts'
import type { StoredKeyValue } from '../mvcc/stored-key-value.ts'
import type { RangeRequest } from '../proto/gen/rpc.ts'

/** Time that reading may take of one turn. */
const turnMsMax = 4
/** Keys read in one turn at most, however fast it goes. */
const turnKeysMax = 16_384
/** Keys between two looks at the clock. Values may be large, so it begins small. */
const sliceKeysMin = 32
const sliceKeysMax = 1_024
/** How often a range begins anew because of a compaction. */
const restartCountMax = 8

/**
 * The store as it is now, for a caller and a request that may read it.
 * @throws StoreError  `stopped`, or why the caller may not
 */
export type OpenStore = (request: RangeRequest, caller: Cancellation | undefined) => MvccStore

/** A range that is being read. */
export interface Reading {
  readonly isDone: boolean
  /** Reads on. Never throws. @returns the number of keys read */
  readSlice(open: OpenStore): number
}

/** The large ranges of one node, in the order of their arrival. */
export class SlicedRanges {
  private readonly clock: Clock
  private readonly open: OpenStore
  private waiting: Reading[] = []
  private isRunning = false

  constructor(clock: Clock, open: OpenStore) {
    this.clock = clock
    this.open = open
  }

  /** Reads a range, perhaps before the call returns. Fails with what reading it in one go would throw, or `contextCanceled`. */
  begin(
    request: RangeRequest,
    settler: Settler<RangeResult>,
    cancellation: Cancellation | undefined,
  ): void {
    this.beginReading(new RangeReading(request, settler, cancellation))
  }

  /** Has something read, perhaps before the call returns. */
  beginReading(reading: Reading): void {
    this.waiting.push(reading)
    if (!this.isRunning) this.run()
  }

  private readonly run = (): void => {
    this.isRunning = true
    const startMs = this.clock.monotonicMs()
    let keyCount = 0
    for (;;) {
      const [reading] = this.waiting
      if (reading === undefined) break
      keyCount += reading.readSlice(this.open)
      if (reading.isDone) this.waiting.shift()
      const elapsedMs = this.clock.monotonicMs() - startMs
      if (elapsedMs < turnMsMax && keyCount < turnKeysMax) continue
      if (this.waiting.length === 0) break
      this.clock.nextTurn(this.run)
      return
    }
    this.isRunning = false
  }
}

/** A count of the past that a range needs, made before it: see `MvccStore.beginCount`. */
export class CountReading implements Reading {
  isDone = false
  private readonly request: RangeRequest
  private readonly cancellation: Cancellation | undefined
  private readonly counting: PastCounting
  private readonly readRange: () => void

  /** @param readRange  called when the count is known, and also when it cannot be: it fails for the same reason then */
  constructor(
    asked: { readonly request: RangeRequest; readonly cancellation: Cancellation | undefined },
    counting: PastCounting,
    readRange: () => void,
  ) {
    this.request = asked.request
    this.cancellation = asked.cancellation
    this.counting = counting
    this.readRange = readRange
  }

  /** Counts on. No key is read, so only the time that it takes ends a turn. */
  readSlice(open: OpenStore): number {
    if (!this.hasMore(open)) {
      this.isDone = true
      this.readRange()
    }
    return 0
  }

  private hasMore(open: OpenStore): boolean {
    if (this.cancellation?.isCanceled === true) return false
    try {
      return open(this.request, this.cancellation).countOn(this.counting) === undefined
    } catch {
      // The range is read next, fails for the same reason, and tells it to whoever asked.
      return false
    }
  }
}

/** One range that is being read. */
class RangeReading implements Reading {
  isDone = false
  private readonly request: RangeRequest
  private readonly settler: Settler<RangeResult>
  private readonly cancellation: Cancellation | undefined
  private pairs: StoredKeyValue[] = []
  private first: ReadRangeResult | undefined
  /** Where the next slice begins; undefined: at the start of the range. */
  private nextKey: Uint8Array | undefined
  private sliceKeys = sliceKeysMin
  private restartCount = 0

  constructor(
    request: RangeRequest,
    settler: Settler<RangeResult>,
    cancellation: Cancellation | undefined,
  ) {
    this.request = request
    this.settler = settler
    this.cancellation = cancellation
  }

  /** Reads on. @returns the number of keys read */
  readSlice(open: OpenStore): number {
    if (this.cancellation?.isCanceled === true) {
      this.fail(new StoreError('contextCanceled'))
      return 0
    }
    try {
      return this.tryReadSlice(open(this.request, this.cancellation))
    } catch (error) {
      if (!this.restartsAfter(error)) this.fail(error)
      return 0
    }
  }

  private tryReadSlice(store: MvccStore): number {
    const { range, options } = rangeReadOf(this.request)
    const limit =
      options.limit === 0
        ? this.sliceKeys
        : Math.min(this.sliceKeys, options.limit - this.pairs.length)
    const slice = store.readRange(
      { start: this.nextKey ?? range.start, end: range.end },
      {
        ...options,
        revision:
          this.first === undefined || options.revision > 0 ? options.revision : this.first.revision,
        limit,
        // With a limit the first slice counts for all; without one everything is read and counted here.
        isUncounted: options.limit === 0 || this.first !== undefined,
      },
    )
    this.first ??= slice
    const { keyValues } = slice
    for (const pair of keyValues) this.pairs.push(pair)
    const last = keyValues[keyValues.length - 1]
    if (last === undefined || keyValues.length < limit || this.pairs.length === options.limit) {
      this.finish(this.first, options.limit === 0)
    } else {
      this.nextKey = concatBytes([last.key, Uint8Array.of(0)])
      this.sliceKeys = Math.min(sliceKeysMax, this.sliceKeys * 2)
    }
    return keyValues.length
  }

  private finish(first: ReadRangeResult, isComplete: boolean): void {
    const count = isComplete ? this.pairs.length : first.count
    const result = rangeResultOf(this.request, {
      keyValues: this.pairs,
      count,
      revision: first.revision,
    })
    this.isDone = true
    this.settler.succeed(result)
  }

  private fail(error: unknown): void {
    this.isDone = true
    this.settler.fail(error)
  }

  private restartsAfter(error: unknown): boolean {
    if (!(error instanceof StoreError) || error.code !== 'compacted') return false
    if (this.first === undefined || this.request.revision > 0n) return false
    if (++this.restartCount > restartCountMax) return false
    this.pairs = []
    this.first = undefined
    this.nextKey = undefined
    return true
  }
}
