/**
 * Backend on LMDB, which only the files named `lmdb-*` know.
 *
 * Committed batches are kept in memory, as layers above LMDB, until LMDB has made them durable:
 *
 *     reads ──▶ open batch ──▶ pending layer ──▶ layers being written ──▶ LMDB
 *
 * Batches are merged into the pending layer as they are committed. When the previous write is done, and nothing was
 * committed for a moment, or enough has gathered, or some of it has waited for long, all layers go to LMDB in one
 * transaction on a worker thread, oldest first: so each transaction holds whole batches, in order, and one sync serves many
 * of them. A layer is dropped only after its transaction was synced and the read transaction renewed, so no reader falls
 * into a gap between the two.
 *
 * What is left out: LMDB is not the commit point (the write-ahead log is), so nothing waits for these writes but the
 * release of the log, snapshots and the end of the process.
 */

import { failpoint } from '../base/failpoints.ts'
import { assert } from '../base/assert.ts'
import type { Clock, Timer } from '../base/clock.ts'
import { doublingSeconds, TimeHistogram } from '../base/time-histogram.ts'
import { StorageFault } from '../errors/storage-fault.ts'
import type {
  Backend,
  BackendBatch,
  BackendRecord,
  BackendView,
  BucketName,
  RecordVisitor,
  Defragmented,
  DefragmentTarget,
  ScanOptions,
} from './backend.ts'
import { beginFreeList, copyEnvironment, CopyBacklog } from './lmdb-copy.ts'
import { openEnvironment, type BucketChange, type LmdbEnvironment } from './lmdb-environment.ts'
import type { NativeDatabase } from './lmdb-native.ts'
import type { LmdbSnapshot } from './lmdb-snapshot.ts'
import { nameOfKey } from './key-name.ts'
import { removed, scanMerged, visitRecords, type OverlayLayer } from './overlay.ts'
import { OverlayBatch } from './overlay-batch.ts'

/** Without a commit for so long, what has gathered is written: nothing more is to be expected, and the disk is free. */
const quietMs = 100
/**
 * How long changes gather while others keep coming. Each transaction rewrites the path from leaf to root for every key in
 * it, a page or more for each key of a large store, and syncs that on the disk that the log's own syncs wait for: the more
 * keys share a transaction, the more of them share pages. Nobody waits for it but a start after a crash, which applies
 * again what was not written.
 */
const gatherMsMax = 5_000
/** Enough changes for one transaction: some 25,000 puts of random keys, which a start applies again within half a second. */
const gatheredChangeCountMax = 50_000
const gatheredSizeBytesMax = 16 * 1_024 * 1_024
/** Of what can wait, so much goes into one transaction: its sync and that of the log wait for each other. */
const spareChangeCountMax = 3_000
/** Beyond these the applier waits, so that a slow disk shows as slow writes and not as memory. */
const unflushedSizeBytesMax = 64 * 1_024 * 1_024
const unflushedChangeCountMax = 150_000
/** Rounds in which a copy catches up while writes go on; then they are held, so that a busy store comes to an end. */
const catchUpRoundsMax = 8
/** A backlog of this size is written within a few milliseconds. */
const smallBacklogSizeBytes = 512 * 1_024

/** See the head of this file. */
export class LmdbBackend implements Backend {
  /** Buckets are those of etcd's metric. */
  readonly commitTimes = new TimeHistogram(doublingSeconds(0.001, 14))
  private environment: LmdbEnvironment
  private readonly clock: Clock
  private readonly path: string
  private openBatch: OverlayBatch | undefined
  /** Committed and not yet durable, newest first. Only the first one may still grow, and only while it is not sealed. */
  private layers: OverlayLayer[] = []
  /** The first layer belongs to a view or to the running write and must not change any more. */
  private isNewestSealed = true
  private isWriting = false
  private gatherTimer: Timer | undefined
  /** When the oldest of what has gathered was committed. */
  private gatheringSinceMs: number | undefined
  /** What was committed when the timer was set; the same when it ends: nobody writes any more. */
  private countAtTimer = 0
  /** Somebody would like to write more, and can wait. */
  private isRoomWanted = false
  /** With the environment each of them reads. */
  private readonly openViews = new Map<LmdbView, LmdbEnvironment>()
  /** Environments that were replaced and are still read, with what to call when they are closed. */
  private readonly retired = new Map<LmdbEnvironment, () => void>()
  /** While a copy is made: what it may lack. */
  private backlog: CopyBacklog | undefined
  /** Settles with the copy that is being made. */
  private copying: Promise<unknown> | undefined
  /** No write is begun: what is in force is being changed. */
  private isHeld = false
  private isClosing = false
  private committedCount = 0
  private durableCount = 0
  private waiters: Waiter[] = []
  private fault: StorageFault | undefined
  private faultListener: ((fault: Error) => void) | undefined
  private isClosed = false

  constructor(environment: LmdbEnvironment, dependencies: { clock: Clock; path: string }) {
    this.environment = environment
    this.clock = dependencies.clock
    this.path = dependencies.path
  }

  get(bucket: BucketName, key: Uint8Array): Uint8Array | undefined {
    return this.layers.length === 0
      ? this.getStored(bucket, key)
      : this.getNamed(bucket, key, nameOfKey(key))
  }

  getNamed(bucket: BucketName, key: Uint8Array, name: string): Uint8Array | undefined {
    for (const layer of this.layers) {
      const value = layer.find(bucket, name)
      if (value !== undefined) return value === removed ? undefined : value
    }
    return this.getStored(bucket, key)
  }

  scan(bucket: BucketName, options: ScanOptions): Iterable<BackendRecord> {
    assert(!this.isClosed, 'a closed backend is not read')
    const { environment } = this
    const stored = environment.newest.scan(environment.database(bucket), options)
    return scanMerged(this.layers, bucket, options, stored)
  }

  visit(bucket: BucketName, options: ScanOptions, visitor: RecordVisitor): void {
    if (this.layers.some((layer) => layer.mayHaveWithin(bucket, options))) {
      visitRecords(this.scan(bucket, options), visitor)
      return
    }
    assert(!this.isClosed, 'a closed backend is not read')
    const { environment } = this
    environment.newest.visit(environment.database(bucket), options, visitor)
  }

  beginBatch(): BackendBatch {
    assert(!this.isClosed, 'a closed backend is not written')
    assert(this.openBatch === undefined, 'one batch is open at a time')
    this.openBatch = new OverlayBatch(this)
    return this.openBatch
  }

  commitBatch(batch: BackendBatch): void {
    assert(this.openBatch !== undefined && batch === this.openBatch, 'the open batch is committed')
    const { layer } = this.openBatch
    this.openBatch.close()
    this.openBatch = undefined
    this.committedCount++
    failpoint('beforeWritebackBuf')
    const newest = this.layers[0]
    if (newest === undefined || this.isNewestSealed) {
      // Readers hold on to the array, so it is replaced and never changed in place.
      this.layers = [layer, ...this.layers]
      this.isNewestSealed = false
    } else newest.absorb(layer)
    failpoint('afterWritebackBuf')
    this.scheduleWrite()
  }

  openView(): BackendView {
    assert(!this.isClosed, 'a closed backend is not read')
    this.isNewestSealed = true
    const { environment } = this
    const view = new LmdbView({
      layers: this.layers,
      environment,
      snapshot: environment.openSnapshot(),
      onClose: () => {
        this.openViews.delete(view)
        this.closeRetired(environment)
      },
    })
    this.openViews.set(view, environment)
    return view
  }

  async flush(): Promise<void> {
    const target = this.committedCount
    if (this.durableCount < target) this.startWrite()
    await this.waitUntil(() => this.durableCount >= target)
  }

  untilDurable(): Promise<void> {
    const target = this.committedCount
    return this.waitUntil(() => this.durableCount >= target, true)
  }

  async waitForRoom(): Promise<void> {
    if (!this.hasRoom()) this.startWrite()
    await this.waitUntil(() => this.hasRoom())
  }

  askForRoom(): boolean {
    const hasRoom =
      this.unflushed().changeCount < spareChangeCountMax && this.backlog?.hasRoom !== false
    if (!hasRoom) this.isRoomWanted = true
    return hasRoom
  }

  hurry(): void {
    this.isRoomWanted = true
  }

  onFault(listener: (fault: Error) => void): void {
    this.faultListener = listener
  }

  size(): { readonly allocatedSizeBytes: number; readonly usedSizeBytes: number } {
    return this.environment.size()
  }

  async defragment(target: DefragmentTarget): Promise<Defragmented | undefined> {
    assert(this.copying === undefined, 'one copy is made at a time')
    const move = this.moveTo(target)
    // The caller is told of a failure; whoever closes the backend only waits for the end.
    this.copying = move.catch(() => undefined)
    try {
      return await move
    } finally {
      this.copying = undefined
      this.backlog = undefined
      this.isHeld = false
      this.settleWaiters()
    }
  }

  /** See `lmdb-copy.ts`. The changes that LMDB does not have yet stay above it, so the switch itself takes no time. */
  private async moveTo(target: DefragmentTarget): Promise<Defragmented | undefined> {
    const backlog = new CopyBacklog()
    this.backlog = backlog
    await copyEnvironment(this.environment, target.directory)
    const copy = openEnvironment(target.directory)
    await beginFreeList(copy, this.clock)
    await this.bringUpToDate(copy, backlog)
    if (this.isClosing || !(await this.publishCopy(target))) {
      await copy.close()
      return undefined
    }
    return { oldClosed: this.moveInto(copy) }
  }

  /** When this resolves the copy has all that is durable, and nothing more becomes durable. */
  private async bringUpToDate(copy: LmdbEnvironment, backlog: CopyBacklog): Promise<void> {
    for (let round = 0; round < catchUpRoundsMax; round++) {
      if (this.isClosing || backlog.sizeBytes < smallBacklogSizeBytes) break
      await this.catchUp(copy, backlog)
    }
    this.isHeld = true
    await this.waitUntil(() => !this.isWriting)
    await this.catchUp(copy, backlog)
  }

  private async catchUp(copy: LmdbEnvironment, backlog: CopyBacklog): Promise<void> {
    for (const piece of backlog.take()) await copy.write(piece, this.clock)
    this.settleWaiters()
  }

  private async publishCopy(target: DefragmentTarget): Promise<boolean> {
    try {
      return await target.publish()
    } catch (error) {
      // Nothing is written to either place any more.
      this.failWith(error)
      throw error
    }
  }

  /** @returns when the environment that was read and written until now is closed */
  private moveInto(copy: LmdbEnvironment): Promise<void> {
    const old = this.environment
    copy.newest.renew()
    this.environment = copy
    return new Promise((resolve) => {
      this.retired.set(old, resolve)
      this.closeRetired(old)
    })
  }

  private closeRetired(environment: LmdbEnvironment): void {
    const announce = this.retired.get(environment)
    if (announce === undefined) return
    for (const read of this.openViews.values()) if (read === environment) return
    this.retired.delete(environment)
    // Nothing was written to it for a while, so nothing can fail but the closing itself, which loses nothing.
    void environment.close().then(announce, announce)
  }

  async close(): Promise<void> {
    if (this.isClosed) return
    this.isClosing = true
    if (this.fault === undefined) await this.flush()
    await this.copying
    this.isClosed = true
    this.gatherTimer?.cancel()
    for (const view of this.openViews.keys()) view.close()
    // After a failed write LMDB's own closing waits for that write for ever; the process is about to end anyway.
    if (this.fault === undefined) await this.environment.close()
  }

  private getStored(bucket: BucketName, key: Uint8Array): Uint8Array | undefined {
    assert(!this.isClosed, 'a closed backend is not read')
    const { environment } = this
    return environment.newest.get(environment.database(bucket), key)
  }

  private hasRoom(): boolean {
    if (this.backlog?.hasRoom === false) return false
    const { sizeBytes, changeCount } = this.unflushed()
    return sizeBytes < unflushedSizeBytesMax && changeCount < unflushedChangeCountMax
  }

  private unflushed(): { readonly sizeBytes: number; readonly changeCount: number } {
    let sizeBytes = 0
    let changeCount = 0
    for (const layer of this.layers) {
      sizeBytes += layer.sizeBytes
      changeCount += layer.changeCount
    }
    return { sizeBytes, changeCount }
  }

  /** Begins to write what has gathered, now or when more has or its time has come. */
  private scheduleWrite(): void {
    if (this.isWriting || this.fault !== undefined) return
    const { sizeBytes, changeCount } = this.unflushed()
    const isEnough = changeCount >= gatheredChangeCountMax || sizeBytes >= gatheredSizeBytesMax
    if (isEnough) this.startWrite()
    else if (this.gatherTimer === undefined) this.setGatherTimer()
  }

  private setGatherTimer(): void {
    this.gatheringSinceMs ??= this.clock.monotonicMs()
    this.countAtTimer = this.committedCount
    this.gatherTimer = this.clock.setTimer(quietMs, () => {
      this.gatherTimer = undefined
      if (this.mayGatherOn()) this.setGatherTimer()
      else this.startWrite()
    })
  }

  private mayGatherOn(): boolean {
    if (this.isRoomWanted || this.committedCount === this.countAtTimer) return false
    const sinceMs = this.gatheringSinceMs ?? 0
    return this.clock.monotonicMs() - sinceMs < gatherMsMax
  }

  private startWrite(): void {
    this.gatherTimer?.cancel()
    this.gatherTimer = undefined
    this.gatheringSinceMs = undefined
    if (this.isWriting || this.isHeld) return
    if (this.fault !== undefined || this.layers.length === 0) return
    this.isWriting = true
    this.isRoomWanted = false
    this.isNewestSealed = true
    const layers = this.layers
    const committedCount = this.committedCount
    const startMs = this.clock.monotonicMs()
    failpoint('beforeCommit')
    this.environment.write(changesOf(layers), this.clock).then(
      () => {
        failpoint('afterCommit')
        this.commitTimes.recordMs(this.clock.monotonicMs() - startMs)
        this.onDurable(layers, committedCount)
      },
      (error: unknown) => {
        this.failWith(error)
      },
    )
  }

  private onDurable(layers: readonly OverlayLayer[], committedCount: number): void {
    this.isWriting = false
    this.durableCount = committedCount
    // A read transaction from before the commit would miss what the dropped layers held.
    this.environment.newest.renew()
    const written = new Set(layers)
    this.layers = this.layers.filter((layer) => !written.has(layer))
    this.backlog?.add(layers)
    this.settleWaiters()
  }

  /** Lets go on whoever has what they waited for, and writes what is left. */
  private settleWaiters(): void {
    const met = this.waiters.filter((waiter) => waiter.isMet())
    this.waiters = this.waiters.filter((waiter) => !met.includes(waiter))
    for (const waiter of met) waiter.resolve()
    if (this.layers.length === 0) return
    // Whoever still waits for durability or room asked for it: the next write starts at once.
    if (this.waiters.some(({ isPatient }) => !isPatient)) this.startWrite()
    else this.scheduleWrite()
  }

  private failWith(cause: unknown): void {
    const reason = cause instanceof Error ? cause.message : String(cause)
    this.fault = new StorageFault(`the database could not be written: ${reason}`, {
      path: this.path,
      cause,
    })
    for (const waiter of this.waiters.splice(0)) waiter.reject(this.fault)
    this.faultListener?.(this.fault)
  }

  private waitUntil(isMet: () => boolean, isPatient = false): Promise<void> {
    if (this.fault !== undefined) return Promise.reject(this.fault)
    if (isMet()) return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.waiters.push({ isMet, isPatient, resolve, reject })
    })
  }
}

/** Oldest first. @param layers  newest first */
function* changesOf(layers: readonly OverlayLayer[]): Iterable<BucketChange> {
  for (let position = layers.length - 1; position >= 0; position--) {
    const layer = layers[position]
    if (layer !== undefined) yield* layer.changes()
  }
}

interface Waiter {
  readonly isMet: () => boolean
  /** No write is begun for it. */
  readonly isPatient: boolean
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/** A pinned read transaction and the layers that were above it. */
class LmdbView implements BackendView {
  private readonly source: {
    readonly layers: readonly OverlayLayer[]
    readonly environment: LmdbEnvironment
    readonly snapshot: LmdbSnapshot
    readonly onClose: () => void
  }
  private isOpen = true

  constructor(source: LmdbView['source']) {
    this.source = source
  }

  get(bucket: BucketName, key: Uint8Array): Uint8Array | undefined {
    const name = nameOfKey(key)
    for (const layer of this.source.layers) {
      const value = layer.find(bucket, name)
      if (value !== undefined) return value === removed ? undefined : value
    }
    return this.source.snapshot.get(this.database(bucket), key)
  }

  scan(bucket: BucketName, options: ScanOptions): Iterable<BackendRecord> {
    const stored = this.source.snapshot.scan(this.database(bucket), options)
    return scanMerged(this.source.layers, bucket, options, stored)
  }

  visit(bucket: BucketName, options: ScanOptions, visitor: RecordVisitor): void {
    if (this.source.layers.some((layer) => layer.mayHaveWithin(bucket, options))) {
      visitRecords(this.scan(bucket, options), visitor)
    } else this.source.snapshot.visit(this.database(bucket), options, visitor)
  }

  close(): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.source.snapshot.close()
    this.source.onClose()
  }

  private database(bucket: BucketName): NativeDatabase {
    assert(this.isOpen, 'a closed view is not read')
    return this.source.environment.database(bucket)
  }
}

/**
 * Opens the environment in a directory that exists, making an empty one where there is none.
 *
 * @throws StorageFault when LMDB cannot open it
 */
export function openLmdbBackend(directory: string, clock: Clock): LmdbBackend {
  return new LmdbBackend(openEnvironment(directory), { clock, path: directory })
}
