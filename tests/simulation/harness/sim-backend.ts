/**
 * The database of a simulated node: the in-memory backend for what is visible, and beside it what has reached the disk.
 *
 * LMDB as it is used has three states of a batch: visible, committed and flushed. Batches are flushed in order, some
 * virtual milliseconds after they became visible. A crash keeps what was flushed and any prefix of the later batches.
 * The durable content hangs on the directory's node of the simulated disk, so that renaming or removing the directory
 * moves or removes the database.
 */
import type {
  Backend,
  BackendBatch,
  BackendFactory,
  BackendRecord,
  BackendView,
  BucketName,
  Defragmented,
  DefragmentTarget,
  RecordVisitor,
  ScanOptions,
} from '../../../src/core/backend/backend.ts'
import { metaKeys, readUint64 } from '../../../src/core/backend/buckets.ts'
import { MemoryBackendFactory } from '../../../src/core/backend/memory-backend.ts'
import { bytesOfLatin1, latin1Of } from '../../../src/core/base/bytes.ts'
import type { Random } from '../../../src/core/base/random.ts'
import type { SimFileSystem } from './sim-file-system.ts'
import type { SimProcess, SimScheduler } from './sim-scheduler.ts'

/** One change of a batch; `value` undefined removes the key. */
export interface BackendChange {
  readonly bucket: BucketName
  readonly key: Uint8Array
  readonly value: Uint8Array | undefined
}

const consistentIndexKey = latin1Of(metaKeys.consistentIndex)

/** What of a database is on disk. */
export class SimBackendStore {
  readonly durable = new Map<BucketName, Map<string, Uint8Array>>()
  /** Batches that are visible but not flushed, oldest first. */
  readonly pending: (readonly BackendChange[])[] = []

  /** Index of the last applied entry whose effects are surely on disk. */
  flushedIndex(): number {
    const value = this.durable.get('meta')?.get(consistentIndexKey)
    return value === undefined ? 0 : readUint64(value, 0)
  }

  /** Makes the oldest batches durable. */
  flushOldest(batchCount: number): void {
    for (const changes of this.pending.splice(0, batchCount)) {
      for (const change of changes) this.persist(change)
    }
  }

  /** Keeps what was flushed and a prefix of the rest. */
  crash(random: Random): void {
    this.flushOldest(random.below(this.pending.length + 1))
    this.pending.length = 0
  }

  /** Puts or removes one durable record. */
  persist(change: BackendChange): void {
    let bucket = this.durable.get(change.bucket)
    if (bucket === undefined) {
      bucket = new Map()
      this.durable.set(change.bucket, bucket)
    }
    if (change.value === undefined) bucket.delete(latin1Of(change.key))
    else bucket.set(latin1Of(change.key), change.value)
  }
}

/** What the checkers see of a node's database. */
export interface BackendObserver {
  /** A batch became visible. */
  committed(changes: readonly BackendChange[], backend: SimBackend): void
  /** A database was opened, after a start or a received snapshot. */
  opened(backend: SimBackend): void
}

/** What all databases of one life of a node share. */
export interface SimBackendParts {
  readonly fileSystem: SimFileSystem
  readonly scheduler: SimScheduler
  readonly process: SimProcess
  readonly random: Random
  readonly observer: BackendObserver
  /** Longest time between visible and flushed, in virtual microseconds. */
  readonly flushDelayUsMax: number
}

/** Opens simulated databases for one life of a node. */
export class SimBackendFactory implements BackendFactory {
  /** Databases opened and not closed; none may be left after a graceful stop. */
  readonly openBackends = new Set<SimBackend>()
  private readonly parts: SimBackendParts

  constructor(parts: SimBackendParts) {
    this.parts = parts
  }

  async open(directory: string): Promise<Backend> {
    const { fileSystem, observer } = this.parts
    await fileSystem.makeDirectory(directory)
    const inner = await new MemoryBackendFactory({
      scheduleFlush: (flush) => {
        flush()
      },
    }).open(directory)
    const backend = await fileSystem.perform('open', directory, () => {
      const node = fileSystem.directoryAt(directory)
      if (!(node.attachment instanceof SimBackendStore)) node.attachment = new SimBackendStore()
      const opened = new SimBackend(this.parts, inner, node.attachment as SimBackendStore)
      opened.onClosed = (): void => {
        this.openBackends.delete(opened)
      }
      this.openBackends.add(opened)
      observer.opened(opened)
      return opened
    })
    await fileSystem.syncDirectory(directory)
    await fileSystem.syncDirectory(parentPath(directory))
    return backend
  }

  async build(directory: string, fill: (backend: Backend) => Promise<void>): Promise<void> {
    const { fileSystem } = this.parts
    await this.remove(directory)
    const inner = await new MemoryBackendFactory({
      scheduleFlush: (flush) => {
        flush()
      },
    }).open(directory)
    const store = new SimBackendStore()
    // No state of a member before it is put in force: nothing that the checkers should look at.
    const built = new SimBackend({ ...this.parts, observer: unobserved }, inner, store)
    try {
      await fill(built)
    } finally {
      await built.close()
    }
    await fileSystem.makeDirectory(directory)
    await fileSystem.perform('sync', directory, () => {
      fileSystem.directoryAt(directory).attachment = store
    })
    await fileSystem.syncDirectory(parentPath(directory))
  }

  async replace(directories: {
    readonly sourceDirectory: string
    readonly targetDirectory: string
  }): Promise<void> {
    const { sourceDirectory, targetDirectory } = directories
    const { fileSystem } = this.parts
    await fileSystem.perform('names', targetDirectory, () => {
      // One step, as a rename is: a crash leaves the old database or the new one.
      fileSystem.moveTree(sourceDirectory, targetDirectory)
    })
    await fileSystem.syncDirectory(parentPath(targetDirectory))
  }

  remove(directory: string): Promise<void> {
    return this.parts.fileSystem.removeTree(directory)
  }
}

const unobserved: BackendObserver = { committed: () => undefined, opened: () => undefined }

function parentPath(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}

/** {@link Backend} of one life of a node. */
export class SimBackend implements Backend {
  store: SimBackendStore
  onClosed: (() => void) | undefined
  private readonly inner: Backend
  private readonly parts: SimBackendParts
  private batch: RecordingBatch | undefined
  private flushWaiters: { readonly batchCount: number; readonly resolve: () => void }[] = []
  private isFlushScheduled = false
  /** Nothing becomes durable while another place is put in force. */
  private isHeld = false
  private reportFault: ((fault: Error) => void) | undefined
  private flushedBatchCount = 0
  private committedBatchCount = 0
  /** Frozen views that were opened and not closed. */
  openViewCount = 0

  /** @param inner  empty, filled here with what is durable */
  constructor(parts: SimBackendParts, inner: Backend, store: SimBackendStore) {
    this.parts = parts
    this.store = store
    this.inner = inner
    const batch = this.inner.beginBatch()
    for (const [bucket, records] of store.durable) {
      for (const [key, value] of records) batch.put(bucket, bytesOfLatin1(key), value)
    }
    this.inner.commitBatch(batch)
  }

  /** Index of the last applied entry as readers see it. */
  appliedIndex(): number {
    const value = this.inner.get('meta', metaKeys.consistentIndex)
    return value === undefined ? 0 : readUint64(value, 0)
  }

  get(bucket: BucketName, key: Uint8Array): Uint8Array | undefined {
    return this.inner.get(bucket, key)
  }

  scan(bucket: BucketName, options: ScanOptions): Iterable<BackendRecord> {
    return this.inner.scan(bucket, options)
  }

  visit(bucket: BucketName, options: ScanOptions, visitor: RecordVisitor): void {
    this.inner.visit(bucket, options, visitor)
  }

  beginBatch(): BackendBatch {
    this.batch = new RecordingBatch(this.inner.beginBatch())
    return this.batch
  }

  commitBatch(batch: BackendBatch): void {
    const recording = this.batch
    if (recording === undefined || batch !== recording)
      throw new Error('a batch is committed by the backend that began it')
    this.batch = undefined
    this.inner.commitBatch(recording.inner)
    // Code that still runs in a process that was killed in this turn has no effect any more.
    if (!this.parts.process.isAlive) return
    this.store.pending.push(recording.changes)
    this.committedBatchCount += 1
    this.parts.observer.committed(recording.changes, this)
    this.scheduleFlush(this.parts.random.below(this.parts.flushDelayUsMax) + 1)
  }

  openView(): BackendView {
    const view = this.inner.openView()
    this.openViewCount += 1
    let isOpen = true
    return {
      get: (bucket, key) => view.get(bucket, key),
      scan: (bucket, options) => view.scan(bucket, options),
      visit: (bucket, options, visitor) => {
        view.visit(bucket, options, visitor)
      },
      close: () => {
        if (isOpen) this.openViewCount -= 1
        isOpen = false
        view.close()
      },
    }
  }

  flush(): Promise<void> {
    return new Promise((resolve) => {
      this.flushWaiters.push({ batchCount: this.committedBatchCount, resolve })
      this.scheduleFlush(200 + this.parts.random.below(2_000))
    })
  }

  untilDurable(): Promise<void> {
    return this.flush()
  }

  waitForRoom(): Promise<void> {
    return Promise.resolve()
  }

  askForRoom(): boolean {
    return true
  }

  hurry(): void {
    this.inner.hurry()
  }

  /** The simulated database does not fail by itself, only where it is moved. */
  onFault(listener: (fault: Error) => void): void {
    this.reportFault = listener
  }

  size(): { readonly allocatedSizeBytes: number; readonly usedSizeBytes: number } {
    return this.inner.size()
  }

  async defragment(target: DefragmentTarget): Promise<Defragmented | undefined> {
    const { fileSystem } = this.parts
    const { directory } = target
    const copy = new SimBackendStore()
    await fileSystem.makeDirectory(directory)
    await fileSystem.syncDirectory(parentPath(directory))
    await fileSystem.perform('sync', directory, () => {
      this.isHeld = true
      for (const [bucket, records] of this.store.durable) copy.durable.set(bucket, new Map(records))
      fileSystem.directoryAt(directory).attachment = copy
    })
    const isWanted = await this.publishCopy(target)
    if (isWanted) {
      copy.pending.push(...this.store.pending.splice(0))
      this.store = copy
    }
    this.isHeld = false
    this.scheduleFlush(this.parts.random.below(this.parts.flushDelayUsMax) + 1)
    return isWanted ? { oldClosed: Promise.resolve() } : undefined
  }

  /** Nothing is flushed any more when it fails: nobody knows which place is in force. */
  private async publishCopy(target: DefragmentTarget): Promise<boolean> {
    try {
      return await target.publish()
    } catch (error) {
      this.reportFault?.(error instanceof Error ? error : new Error(String(error)))
      throw error
    }
  }

  async close(): Promise<void> {
    await this.flush()
    await this.inner.close()
    this.onClosed?.()
  }

  private scheduleFlush(delayUs: number): void {
    const { scheduler, process } = this.parts
    if (this.isFlushScheduled && this.flushWaiters.length === 0) return
    this.isFlushScheduled = true
    const batchCount = this.committedBatchCount
    scheduler.schedule(delayUs, { kind: 'database flush', process }, () => {
      this.isFlushScheduled = false
      this.flushUpTo(batchCount)
    })
  }

  private flushUpTo(batchCount: number): void {
    if (this.isHeld) return
    if (batchCount > this.flushedBatchCount) {
      this.store.flushOldest(batchCount - this.flushedBatchCount)
      this.flushedBatchCount = batchCount
    }
    const waiters = this.flushWaiters
    this.flushWaiters = waiters.filter((waiter) => waiter.batchCount > this.flushedBatchCount)
    for (const waiter of waiters) if (waiter.batchCount <= this.flushedBatchCount) waiter.resolve()
    if (this.store.pending.length > 0)
      this.scheduleFlush(this.parts.random.below(this.parts.flushDelayUsMax) + 1)
  }
}

/** Passes changes on and remembers them. */
class RecordingBatch implements BackendBatch {
  readonly inner: BackendBatch
  readonly changes: BackendChange[] = []

  constructor(inner: BackendBatch) {
    this.inner = inner
  }

  get changeCount(): number {
    return this.inner.changeCount
  }

  get(bucket: BucketName, key: Uint8Array): Uint8Array | undefined {
    return this.inner.get(bucket, key)
  }

  scan(bucket: BucketName, options: ScanOptions): Iterable<BackendRecord> {
    return this.inner.scan(bucket, options)
  }

  visit(bucket: BucketName, options: ScanOptions, visitor: RecordVisitor): void {
    this.inner.visit(bucket, options, visitor)
  }

  put(bucket: BucketName, key: Uint8Array, value: Uint8Array): void {
    this.changes.push({ bucket, key, value })
    this.inner.put(bucket, key, value)
  }

  remove(bucket: BucketName, key: Uint8Array): void {
    this.changes.push({ bucket, key, value: undefined })
    this.inner.remove(bucket, key)
  }
}
