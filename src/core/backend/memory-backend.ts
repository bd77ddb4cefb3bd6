/**
 * Backend on sorted maps in memory, for tests and simulation.
 *
 * It models what a real store promises and no more: a committed batch is *visible* at once and *flushed* later, at a
 * moment the simulation chooses. A crash keeps what was flushed and a prefix of the later batches, of a length the
 * simulation chooses, and never a part of a batch.
 */

import { assert } from '../base/assert.ts'
import { StorageFault } from '../errors/storage-fault.ts'
import type {
  Backend,
  BackendBatch,
  BackendFactory,
  BackendRecord,
  BackendView,
  BucketName,
  RecordVisitor,
  Defragmented,
  DefragmentTarget,
  ScanOptions,
} from './backend.ts'
import { nameOfKey } from './key-name.ts'
import { valuesWithin, visitRecords, type OverlayLayer } from './overlay.ts'
import { OverlayBatch } from './overlay-batch.ts'
import { sortedTree, type SortedTree } from './sorted-tree.ts'

type Table = SortedTree<BackendRecord>
type Tables = Map<BucketName, Table>

/** How the simulation steers an in-memory backend. */
export interface MemoryBackendOptions {
  /**
   * Called when there is something to flush; calls `flush` when the disk is done with all batches that were committed
   * before this call. Without it, a flush ends in the next microtask.
   */
  readonly scheduleFlush?: (flush: () => void) => void
  /** `waitForRoom` waits while more changes than this are unflushed. */
  readonly unflushedChangeCountMax?: number
}

/** What survives the process: the content of one directory. */
class MemoryDisk {
  tables: Tables = new Map()
  openBackend: MemoryBackend | undefined = undefined
}

const defaultUnflushedChangeCountMax = 50_000
/** A page, so that sizes move in steps as a file's do. */
const pageSizeBytes = 4_096

/** See the head of this file. */
export class MemoryBackend implements Backend {
  private disk: MemoryDisk
  private readonly openDisk: (directory: string) => MemoryDisk
  private readonly options: MemoryBackendOptions
  private readonly tables: Tables
  private openBatch: OverlayBatch | undefined
  private openViewCount = 0
  /** Committed and not yet flushed, oldest first. */
  private readonly unflushed: OverlayLayer[] = []
  private committedCount = 0
  private flushedCount = 0
  private isFlushScheduled = false
  /** Nothing is flushed while another directory is put in force. */
  private isHeld = false
  private isClosed = false
  private usedSizeBytes = 0
  private allocatedSizeBytes = pageSizeBytes
  private fault: Error | undefined
  private faultListener: ((fault: Error) => void) | undefined
  private waiters: {
    readonly isMet: () => boolean
    resolve: () => void
    reject: (e: Error) => void
  }[] = []

  /** @param openDisk  gives the disk of another directory, a new one where there is none */
  constructor(
    disk: MemoryDisk,
    options: MemoryBackendOptions,
    openDisk: (directory: string) => MemoryDisk,
  ) {
    this.disk = disk
    this.openDisk = openDisk
    this.options = options
    this.tables = new Map()
    for (const [bucket, table] of disk.tables) {
      this.tables.set(bucket, table.clone())
      for (const record of table.values()) this.count(record.key.length + record.value.length)
    }
  }

  get(bucket: BucketName, key: Uint8Array): Uint8Array | undefined {
    return this.getNamed(bucket, key, nameOfKey(key))
  }

  getNamed(bucket: BucketName, _key: Uint8Array, name: string): Uint8Array | undefined {
    assert(!this.isClosed, 'a closed backend is not read')
    return this.tables.get(bucket)?.get(name)?.value
  }

  scan(bucket: BucketName, options: ScanOptions): Iterable<BackendRecord> {
    assert(!this.isClosed, 'a closed backend is not read')
    const table = this.tables.get(bucket)
    return table === undefined ? [] : valuesWithin(table, options)
  }

  visit(bucket: BucketName, options: ScanOptions, visitor: RecordVisitor): void {
    visitRecords(this.scan(bucket, options), visitor)
  }

  beginBatch(): BackendBatch {
    assert(!this.isClosed, 'a closed backend is not written')
    assert(this.openBatch === undefined, 'one batch is open at a time')
    this.openBatch = new OverlayBatch(this)
    return this.openBatch
  }

  commitBatch(batch: BackendBatch): void {
    assert(!this.isClosed, 'a closed backend is not written')
    assert(this.openBatch !== undefined && batch === this.openBatch, 'the open batch is committed')
    const { layer } = this.openBatch
    this.openBatch.close()
    this.openBatch = undefined
    for (const { bucket, entry } of layer.changes()) {
      const previous = this.tables.get(bucket)?.get(entry.name)
      if (previous !== undefined) this.count(-previous.key.length - previous.value.length)
      if (entry.value !== undefined) this.count(entry.key.length + entry.value.length)
    }
    applyLayer(this.tables, layer)
    this.unflushed.push(layer)
    this.committedCount++
    this.scheduleFlush()
  }

  openView(): BackendView {
    assert(!this.isClosed, 'a closed backend is not read')
    const frozen: Tables = new Map()
    for (const [bucket, table] of this.tables) frozen.set(bucket, table.clone())
    let isOpen = true
    this.openViewCount++
    const scan = (bucket: BucketName, options: ScanOptions): Iterable<BackendRecord> => {
      assert(isOpen, 'a closed view is not read')
      const table = frozen.get(bucket)
      return table === undefined ? [] : valuesWithin(table, options)
    }
    return {
      get: (bucket, key) => {
        assert(isOpen, 'a closed view is not read')
        return frozen.get(bucket)?.get(nameOfKey(key))?.value
      },
      scan,
      visit: (bucket, options, visitor) => {
        visitRecords(scan(bucket, options), visitor)
      },
      close: () => {
        if (isOpen) this.openViewCount--
        isOpen = false
      },
    }
  }

  flush(): Promise<void> {
    const target = this.committedCount
    return this.waitUntil(() => this.flushedCount >= target)
  }

  untilDurable(): Promise<void> {
    return this.flush()
  }

  waitForRoom(): Promise<void> {
    return this.waitUntil(() => this.askForRoom())
  }

  askForRoom(): boolean {
    const limit = this.options.unflushedChangeCountMax ?? defaultUnflushedChangeCountMax
    return this.unflushedChangeCount < limit
  }

  hurry(): void {
    // Its size needs no writing to be true.
  }

  onFault(listener: (fault: Error) => void): void {
    this.faultListener = listener
  }

  size(): { readonly allocatedSizeBytes: number; readonly usedSizeBytes: number } {
    return {
      allocatedSizeBytes: this.allocatedSizeBytes,
      usedSizeBytes: wholePages(this.usedSizeBytes),
    }
  }

  /** What is durable moves as it is at the moment of the switch; open views are copies and stay with nobody. */
  async defragment(target: DefragmentTarget): Promise<Defragmented | undefined> {
    const disk = this.openDisk(target.directory)
    this.isHeld = true
    try {
      for (const [bucket, table] of this.disk.tables) disk.tables.set(bucket, table.clone())
      if (this.isClosed || !(await target.publish()) || this.hasEnded()) return undefined
      this.disk.openBackend = undefined
      this.disk = disk
      disk.openBackend = this
      this.allocatedSizeBytes = Math.max(pageSizeBytes, wholePages(this.usedSizeBytes))
      return { oldClosed: Promise.resolve() }
    } finally {
      this.isHeld = false
      if (this.unflushed.length > 0) this.scheduleFlush()
    }
  }

  /** Read after an await, when the compiler still believes what was true before it. */
  private hasEnded(): boolean {
    return this.isClosed
  }

  async close(): Promise<void> {
    if (this.isClosed) return
    if (this.fault === undefined) await this.flush()
    this.detach()
  }

  /** Batches that a crash now may lose. */
  get unflushedBatchCount(): number {
    return this.unflushed.length
  }

  /** Views that nobody closed yet; a test looks for leaks here. */
  get viewCount(): number {
    return this.openViewCount
  }

  /** Ends this backend as a crash does: the disk keeps what was flushed and the first `keptBatchCount` later batches. */
  crash(options: { readonly keptBatchCount: number }): void {
    if (this.isClosed) return
    for (const layer of this.unflushed.slice(0, options.keptBatchCount)) {
      applyLayer(this.disk.tables, layer)
    }
    this.detach()
  }

  /** Lets the background write fail: nothing that is unflushed now will ever be flushed. */
  failWrites(cause: Error): void {
    if (this.fault !== undefined || this.isClosed) return
    this.fault = new StorageFault('the database could not be written', { path: 'memory', cause })
    for (const waiter of this.waiters.splice(0)) waiter.reject(this.fault)
    this.faultListener?.(this.fault)
  }

  private get unflushedChangeCount(): number {
    let count = 0
    for (const layer of this.unflushed) count += layer.changeCount
    return count
  }

  private detach(): void {
    this.isClosed = true
    // Whoever waits for a flush of a crashed process waits for ever, as the process is no more.
    this.waiters = []
    if (this.disk.openBackend === this) this.disk.openBackend = undefined
  }

  private scheduleFlush(): void {
    if (this.isFlushScheduled || this.isHeld || this.fault !== undefined) return
    this.isFlushScheduled = true
    const target = this.committedCount
    const schedule =
      this.options.scheduleFlush ?? ((flush: () => void) => void Promise.resolve().then(flush))
    schedule(() => {
      this.flushThrough(target)
    })
  }

  private flushThrough(target: number): void {
    if (this.isClosed || this.fault !== undefined) return
    this.isFlushScheduled = false
    if (this.isHeld) return
    while (this.flushedCount < target) {
      const layer = this.unflushed.shift()
      assert(layer !== undefined, 'every batch between flushed and committed is kept')
      applyLayer(this.disk.tables, layer)
      this.flushedCount++
    }
    const met = this.waiters.filter((waiter) => waiter.isMet())
    this.waiters = this.waiters.filter((waiter) => !met.includes(waiter))
    for (const waiter of met) waiter.resolve()
    if (this.unflushed.length > 0) this.scheduleFlush()
  }

  private waitUntil(isMet: () => boolean): Promise<void> {
    if (this.fault !== undefined) return Promise.reject(this.fault)
    if (isMet()) return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.waiters.push({ isMet, resolve, reject })
    })
  }

  private count(sizeBytes: number): void {
    this.usedSizeBytes += sizeBytes
    // A store never gives pages back.
    this.allocatedSizeBytes = Math.max(this.allocatedSizeBytes, wholePages(this.usedSizeBytes))
  }
}

/** Keeps the disks of a simulated machine, by directory, over any number of crashes. */
export class MemoryBackendFactory implements BackendFactory {
  private readonly disks = new Map<string, MemoryDisk>()
  private readonly options: MemoryBackendOptions

  constructor(options: MemoryBackendOptions = {}) {
    this.options = options
  }

  open(directory: string): Promise<MemoryBackend> {
    const disk = this.diskOf(directory)
    assert(disk.openBackend === undefined, 'a directory is opened once at a time')
    disk.openBackend = new MemoryBackend(disk, this.options, (other) => this.diskOf(other))
    return Promise.resolve(disk.openBackend)
  }

  private diskOf(directory: string): MemoryDisk {
    let disk = this.disks.get(directory)
    if (disk === undefined) {
      disk = new MemoryDisk()
      this.disks.set(directory, disk)
    }
    return disk
  }

  /** The backend that is open in the directory: the simulation crashes it or lets it fail. */
  findOpen(directory: string): MemoryBackend | undefined {
    return this.disks.get(directory)?.openBackend
  }

  /** Crashes what is open in any directory that starts with the prefix. */
  crashAll(options: { readonly directoryPrefix: string; readonly keptBatchCount: number }): void {
    for (const [directory, disk] of this.disks) {
      if (directory.startsWith(options.directoryPrefix)) disk.openBackend?.crash(options)
    }
  }

  async build(directory: string, fill: (backend: Backend) => Promise<void>): Promise<void> {
    assert(this.findOpen(directory) === undefined, 'nothing is built over an open backend')
    this.disks.delete(directory)
    const backend = await this.open(directory)
    try {
      await fill(backend)
      await backend.close()
    } catch (error) {
      await backend.close()
      this.disks.delete(directory)
      throw error
    }
  }

  replace(directories: {
    readonly sourceDirectory: string
    readonly targetDirectory: string
  }): Promise<void> {
    const { sourceDirectory, targetDirectory } = directories
    const source = this.disks.get(sourceDirectory)
    assert(source !== undefined, 'the import to put in place was finished')
    assert(
      this.findOpen(sourceDirectory) === undefined && this.findOpen(targetDirectory) === undefined,
      'neither directory is open while one replaces the other',
    )
    this.disks.set(targetDirectory, source)
    this.disks.delete(sourceDirectory)
    return Promise.resolve()
  }

  remove(directory: string): Promise<void> {
    assert(this.findOpen(directory) === undefined, 'an open backend is not removed')
    this.disks.delete(directory)
    return Promise.resolve()
  }
}

function tableOf(tables: Tables, bucket: BucketName): Table {
  let table = tables.get(bucket)
  if (table === undefined) {
    table = sortedTree<BackendRecord>()
    tables.set(bucket, table)
  }
  return table
}

function applyLayer(tables: Tables, layer: OverlayLayer): void {
  for (const { bucket, entry } of layer.changes()) {
    const table = tableOf(tables, bucket)
    if (entry.value === undefined) table.delete(entry.name)
    else table.set(entry.name, { key: entry.key, value: entry.value })
  }
}

function wholePages(sizeBytes: number): number {
  return Math.ceil(sizeBytes / pageSizeBytes) * pageSizeBytes
}
