/**
 * Backend on LMDB. The only file that knows LMDB.
 *
 * Committed batches are kept in memory, as layers above LMDB, until LMDB has made them durable:
 *
 *     reads ──▶ open batch ──▶ pending layer ──▶ layers being written ──▶ LMDB
 *
 * Batches are merged into the pending layer as they are committed. When the previous write is done, and a short while has
 * passed or enough has gathered, all layers go to LMDB in one transaction on a worker thread, oldest first: so each
 * transaction holds whole batches, in order, and one sync serves many of them. A layer is dropped only after its
 * transaction was synced and the read transaction renewed, so no reader falls into a gap between the two.
 *
 * What is left out: LMDB is not the commit point (the write-ahead log is), so nothing waits for these writes but the
 * release of the log, snapshots and the end of the process.
 */

import { open, type Database, type DatabaseOptions, type RootDatabase } from 'lmdb'
import { assert } from '../base/assert.ts'
import type { Clock, Timer } from '../base/clock.ts'
import { StorageFault } from '../errors/storage-fault.ts'
import type {
  Backend,
  BackendBatch,
  BackendRecord,
  BackendView,
  BucketName,
  ScanOptions,
} from './backend.ts'
import { bucketNames } from './buckets.ts'
import { nameOfKey, scanMerged, type OverlayLayer } from './overlay.ts'
import { OverlayBatch } from './overlay-batch.ts'

type Bucket = Database<Uint8Array, Uint8Array>
type Root = RootDatabase<Uint8Array, Uint8Array>
type ReadTransaction = ReturnType<Root['useReadTransaction']>

/**
 * How long changes gather before they are written. Each transaction rewrites the path from leaf to root in every bucket it
 * touches and syncs, on the disk that the log's own syncs wait for; nobody waits for this one.
 */
const gatherDelayMs = 50
/** Enough changes for one transaction: queueing them takes about 4 ms of the calling thread, writing them 15 ms elsewhere. */
const gatheredChangeCountMax = 4_000
/** Beyond these the applier waits, so that a slow disk shows as slow writes and not as memory. */
const unflushedSizeBytesMax = 64 * 1_024 * 1_024
const unflushedChangeCountMax = 50_000
/** Address space, not disk: large enough that the map of an ordinary store is never moved. */
const mapSizeBytes = 1_024 * 1_024 * 1_024
const databaseCountMax = 32

/** See the head of this file. */
export class LmdbBackend implements Backend {
  private readonly root: Root
  private readonly buckets: ReadonlyMap<BucketName, Bucket>
  private readonly clock: Clock
  private readonly path: string
  private openBatch: OverlayBatch | undefined
  /** Committed and not yet durable, newest first. Only the first one may still grow, and only while it is not sealed. */
  private layers: OverlayLayer[] = []
  /** The first layer belongs to a view or to the running write and must not change any more. */
  private isNewestSealed = true
  private isWriting = false
  private gatherTimer: Timer | undefined
  private readonly openViews = new Set<LmdbView>()
  private committedCount = 0
  private durableCount = 0
  private waiters: Waiter[] = []
  private fault: StorageFault | undefined
  private faultListener: ((fault: Error) => void) | undefined
  private isClosed = false

  constructor(root: Root, dependencies: { clock: Clock; path: string }) {
    this.root = root
    this.clock = dependencies.clock
    this.path = dependencies.path
    this.buckets = new Map(
      bucketNames.map((name) => [name, root.openDB<Uint8Array, Uint8Array>(name, bucketOptions)]),
    )
  }

  get(bucket: BucketName, key: Uint8Array): Uint8Array | undefined {
    return this.layers.length === 0
      ? this.bucket(bucket).get(key)
      : this.getNamed(bucket, key, nameOfKey(key))
  }

  getNamed(bucket: BucketName, key: Uint8Array, name: string): Uint8Array | undefined {
    for (const layer of this.layers) {
      const entry = layer.find(bucket, name)
      if (entry !== undefined) return entry.value
    }
    return this.bucket(bucket).get(key)
  }

  scan(bucket: BucketName, options: ScanOptions): Iterable<BackendRecord> {
    return scanMerged(this.layers, bucket, options, scanStored(this.bucket(bucket), options))
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
    const newest = this.layers[0]
    if (newest === undefined || this.isNewestSealed) {
      // Readers hold on to the array, so it is replaced and never changed in place.
      this.layers = [layer, ...this.layers]
      this.isNewestSealed = false
    } else newest.absorb(layer)
    this.scheduleWrite()
  }

  openView(): BackendView {
    assert(!this.isClosed, 'a closed backend is not read')
    this.isNewestSealed = true
    const view = new LmdbView({
      layers: this.layers,
      buckets: this.buckets,
      transaction: this.root.useReadTransaction(),
      onClose: () => this.openViews.delete(view),
    })
    this.openViews.add(view)
    return view
  }

  async flush(): Promise<void> {
    const target = this.committedCount
    if (this.durableCount < target) this.startWrite()
    await this.waitUntil(() => this.durableCount >= target)
  }

  async waitForRoom(): Promise<void> {
    if (!this.hasRoom()) this.startWrite()
    await this.waitUntil(() => this.hasRoom())
  }

  onFault(listener: (fault: Error) => void): void {
    this.faultListener = listener
  }

  size(): { readonly allocatedSizeBytes: number; readonly usedSizeBytes: number } {
    const stats = this.root.getStats() as LmdbStats
    // LMDB does not say how many pages are free; what its trees occupy is in use.
    let usedPageCount = metaPageCount + pageCountOf(stats.root) + pageCountOf(stats.free)
    for (const bucket of this.buckets.values()) {
      usedPageCount += pageCountOf(bucket.getStats() as LmdbStats)
    }
    const { pageSize } = stats.root
    return {
      allocatedSizeBytes: (stats.lastPageNumber + 1) * pageSize,
      usedSizeBytes: usedPageCount * pageSize,
    }
  }

  async close(): Promise<void> {
    if (this.isClosed) return
    if (this.fault === undefined) await this.flush()
    this.isClosed = true
    this.gatherTimer?.cancel()
    for (const view of this.openViews) view.close()
    // After a failed write LMDB's own closing waits for that write for ever; the process is about to end anyway.
    if (this.fault === undefined) await this.root.close()
  }

  private bucket(name: BucketName): Bucket {
    assert(!this.isClosed, 'a closed backend is not read')
    const bucket = this.buckets.get(name)
    assert(bucket !== undefined, 'every bucket is opened with the store')
    return bucket
  }

  private hasRoom(): boolean {
    let sizeBytes = 0
    let changeCount = 0
    for (const layer of this.layers) {
      sizeBytes += layer.sizeBytes
      changeCount += layer.changeCount
    }
    return sizeBytes < unflushedSizeBytesMax && changeCount < unflushedChangeCountMax
  }

  private scheduleWrite(): void {
    if (this.isWriting || this.fault !== undefined) return
    if ((this.layers[0]?.changeCount ?? 0) >= gatheredChangeCountMax) this.startWrite()
    else
      this.gatherTimer ??= this.clock.setTimer(gatherDelayMs, () => {
        this.startWrite()
      })
  }

  private startWrite(): void {
    this.gatherTimer?.cancel()
    this.gatherTimer = undefined
    if (this.isWriting || this.fault !== undefined || this.layers.length === 0) return
    this.isWriting = true
    this.isNewestSealed = true
    const layers = this.layers
    const committedCount = this.committedCount
    this.write(layers).then(
      () => {
        this.onDurable(layers, committedCount)
      },
      (error: unknown) => {
        void this.onWriteFailed(error)
      },
    )
  }

  /** One transaction with these layers, oldest first, committed and synced: a failed sync rejects as a failed commit does. */
  private async write(layers: readonly OverlayLayer[]): Promise<void> {
    const isCommitted = await this.root.batch(() => {
      for (const layer of layers.toReversed()) {
        for (const { bucket, entry } of layer.changes()) {
          // The promise of the batch covers its operations.
          if (entry.value === undefined) void this.bucket(bucket).remove(entry.key)
          else void this.bucket(bucket).put(entry.key, entry.value)
        }
      }
    })
    if (!isCommitted) throw new Error('the transaction was not committed')
    await this.root.flushed
  }

  private onDurable(layers: readonly OverlayLayer[], committedCount: number): void {
    this.isWriting = false
    this.durableCount = committedCount
    // A read transaction from before the commit would miss what the dropped layers held.
    this.root.resetReadTxn()
    const written = new Set(layers)
    this.layers = this.layers.filter((layer) => !written.has(layer))
    const met = this.waiters.filter((waiter) => waiter.isMet())
    this.waiters = this.waiters.filter((waiter) => !waiter.isMet())
    for (const waiter of met) waiter.resolve()
    if (this.layers.length === 0) return
    // Whoever still waits for durability or room asked for it: the next write starts at once.
    if (this.waiters.length > 0) this.startWrite()
    else this.scheduleWrite()
  }

  private async onWriteFailed(error: unknown): Promise<void> {
    const cause = await causeOfFailedCommit(error, this.clock)
    const reason = cause instanceof Error ? cause.message : String(cause)
    this.fault = new StorageFault(`the database could not be written: ${reason}`, {
      path: this.path,
      cause,
    })
    for (const waiter of this.waiters.splice(0)) waiter.reject(this.fault)
    this.faultListener?.(this.fault)
  }

  private waitUntil(isMet: () => boolean): Promise<void> {
    if (this.fault !== undefined) return Promise.reject(this.fault)
    if (isMet()) return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.waiters.push({ isMet, resolve, reject })
    })
  }
}

interface Waiter {
  readonly isMet: () => boolean
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/** A pinned read transaction and the layers that were above it. */
class LmdbView implements BackendView {
  private readonly source: {
    readonly layers: readonly OverlayLayer[]
    readonly buckets: ReadonlyMap<BucketName, Bucket>
    readonly transaction: ReadTransaction
    readonly onClose: () => void
  }
  private isOpen = true

  constructor(source: LmdbView['source']) {
    this.source = source
  }

  get(bucket: BucketName, key: Uint8Array): Uint8Array | undefined {
    const name = nameOfKey(key)
    for (const layer of this.source.layers) {
      const entry = layer.find(bucket, name)
      if (entry !== undefined) return entry.value
    }
    return this.bucket(bucket).get(key, { transaction: this.source.transaction })
  }

  scan(bucket: BucketName, options: ScanOptions): Iterable<BackendRecord> {
    const stored = scanStored(this.bucket(bucket), options, this.source.transaction)
    return scanMerged(this.source.layers, bucket, options, stored)
  }

  close(): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.source.transaction.done()
    this.source.onClose()
  }

  private bucket(name: BucketName): Bucket {
    assert(this.isOpen, 'a closed view is not read')
    const bucket = this.source.buckets.get(name)
    assert(bucket !== undefined, 'every bucket is opened with the store')
    return bucket
  }
}

/**
 * Bytes in, a copy of the bytes out. LMDB's own binary encodings return Buffers sliced from a shared one, which costs as
 * much as the lookup itself.
 */
const bucketOptions: DatabaseOptions = {
  ...({
    encoder: { encode: (value: Uint8Array) => value, decode: copyOfShared },
    keyEncoder: {
      writeKey: (key: Uint8Array, target: Uint8Array, start: number) => {
        target.set(key, start)
        return start + key.length
      },
      readKey: (source: Uint8Array, start: number, end: number) =>
        new Uint8Array(source.buffer, source.byteOffset + start, end - start).slice(),
    },
  } as object),
}

/** `length` and not `byteLength`: the shared buffer is larger than the value in it. */
function copyOfShared(shared: Uint8Array): Uint8Array {
  return new Uint8Array(shared.buffer, shared.byteOffset, shared.length).slice()
}

/**
 * Opens the environment in a directory that exists, making an empty one where there is none.
 *
 * @throws StorageFault when LMDB cannot open it
 */
export function openLmdbBackend(directory: string, clock: Clock): LmdbBackend {
  return new LmdbBackend(openRoot(directory), { clock, path: directory })
}

/** The file in the directory that holds everything; the lock file beside it carries no state between processes. */
export const lmdbDataFileName = 'data.mdb'

function openRoot(directory: string): Root {
  try {
    return open<Uint8Array, Uint8Array>({
      path: directory,
      noSubdir: false,
      maxDbs: databaseCountMax,
      mapSize: mapSizeBytes,
      // Batches are made here. LMDB's own would add a promise that nobody can catch the failure of.
      eventTurnBatching: false,
    })
  } catch (cause) {
    throw new StorageFault('the database cannot be opened', { path: directory, cause })
  }
}

/** A scan of what LMDB holds; its bounds are ours, whatever the direction. */
function scanStored(
  bucket: Bucket,
  options: ScanOptions,
  transaction?: ReadTransaction,
): Iterable<BackendRecord> {
  const { start, end, isReverse } = options
  const shared = transaction === undefined ? {} : { transaction }
  if (isReverse !== true) {
    if (end?.length === 0) return []
    const bounds = { start: nonEmpty(start ?? smallestKey), ...(end && { end }) }
    return bucket.getRange({ ...bounds, ...shared })
  }
  if (end?.length === 0) return []
  return bucket.getRange({
    reverse: true,
    ...(end && { start: end, exclusiveStart: true }),
    end: nonEmpty(start ?? smallestKey),
    inclusiveEnd: true,
    ...shared,
  })
}

/** LMDB has no empty key; the smallest one there can be sorts the same. */
const smallestKey = Uint8Array.of(0)

function nonEmpty(bound: Uint8Array): Uint8Array {
  return bound.length === 0 ? smallestKey : bound
}

/** A failed commit carries a second promise with what went wrong, which nobody else would catch. */
async function causeOfFailedCommit(error: unknown, clock: Clock): Promise<unknown> {
  if (!(error instanceof Error) || !('commitError' in error)) return error
  const { commitError } = error
  if (!(commitError instanceof Promise)) return error
  // It is rejected in the same turn, or never.
  const nothingMore = new Promise((resolve) => {
    clock.nextTurn(() => {
      resolve(error)
    })
  })
  return Promise.race([commitError.catch((cause: unknown) => cause), nothingMore])
}

/** LMDB keeps two copies of its root record, one page each. */
const metaPageCount = 2

interface TreeStats {
  readonly pageSize: number
  readonly treeBranchPageCount: number
  readonly treeLeafPageCount: number
  readonly overflowPages: number
}

/** What `getStats` returns; its declared type is empty. */
interface LmdbStats extends TreeStats {
  readonly lastPageNumber: number
  readonly root: TreeStats
  readonly free: TreeStats
}

function pageCountOf(tree: TreeStats): number {
  return tree.treeBranchPageCount + tree.treeLeafPageCount + tree.overflowPages
}
