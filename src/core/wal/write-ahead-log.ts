import { failpoint, failpointPause } from '../base/failpoints.ts'
import { dirname, join } from 'node:path'
import { assert } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import { type Logger, silentLogger } from '../base/logger.ts'
import { doublingSeconds, TimeHistogram } from '../base/time-histogram.ts'
import { StorageFault } from '../errors/storage-fault.ts'
import type { FileSystem } from '../io/file-system.ts'
import type { Entry, HardState, LogIndex, SnapshotMetadata } from '../raft/message.ts'
import type { WalMetadata, WalPosition, WalSnapshotMarker } from './log-contents.ts'
import { recoverLog } from './log-recovery.ts'
import type { WalPlantedBugs } from './planted-bugs.ts'
import { encodedSizeBytesMax, RecordEncoder } from './record-encoder.ts'
import { listOrEmpty, listSegments, type Segment, segmentOf } from './segment.ts'
import { SegmentFile } from './segment-file.ts'
import { SegmentPipeline } from './segment-pipeline.ts'
import { openTail, publishSegment } from './tail-segment.ts'

export type { WalMetadata, WalPosition, WalSnapshotMarker } from './log-contents.ts'

export interface WalOptions {
  /** Silent when absent. */
  readonly logger?: Logger
  /** Measures syncs; they are not measured when absent. */
  readonly clock?: Clock
  /** A segment is closed once it has grown to this size; 64,000,000 when absent, as in etcd. */
  readonly segmentSizeBytes?: number
  readonly plantedBugs?: WalPlantedBugs
}

/** What a log held when it was opened. */
export interface WalContents {
  readonly log: WriteAheadLog
  readonly metadata: WalMetadata
  /** The last one written; undefined in a log that never had one. */
  readonly hardState: HardState | undefined
  /** Entries after the snapshot asked for, without gaps. */
  readonly entries: readonly Entry[]
  /** Every snapshot record met from the snapshot asked for on, oldest first. */
  readonly snapshotMarkers: readonly WalSnapshotMarker[]
  /** Whether a torn tail of the last segment was cut off, now or at an earlier start. */
  readonly isTailRepaired: boolean
}

const defaultSegmentSizeBytes = 64_000_000
/** A purge leaves this many segments, released or not, so that a slow follower may still be served from the log. */
const keptSegmentCount = 5
const slowSyncMs = 1_000

/** Whether the directory holds a log: at least one segment. An absent directory holds none. */
export async function hasWriteAheadLog(
  fileSystem: FileSystem,
  directory: string,
): Promise<boolean> {
  return (await listSegments(fileSystem, directory)).length > 0
}

/**
 * The durable log of one member. The format stands in `record.ts`.
 *
 * Writing: `save` takes what one Ready holds and makes it durable with one write and one sync; what is proposed meanwhile
 * goes into the next call, so many proposals share a sync. The caller has at most one call in flight. A write or sync that
 * fails ends this log: what the disk holds is unknown from then on, every later call is refused with a `StorageFault`, and
 * the only way on is a new start, which reads what really is there.
 *
 * Example: at 10,000 proposals a second and a sync of 1 ms, each save carries ten entries.
 */
export class WriteAheadLog {
  /** Since it was opened, without the heads of segments. */
  writtenBytes = 0
  /** How long syncs took. Buckets are those of etcd's metric. */
  readonly syncTimes = new TimeHistogram(doublingSeconds(0.001, 14))
  private readonly fileSystem: FileSystem
  private readonly directory: string
  private readonly metadata: WalMetadata
  private readonly options: WalOptions
  private readonly logger: Logger
  private readonly segmentSizeBytes: number
  private readonly encoder: RecordEncoder
  private readonly pipeline: SegmentPipeline
  /** All segments on disk, oldest first; the last one is `tail`. Invariant: sequence numbers rise by one. */
  private readonly segments: Segment[]
  private tail: SegmentFile
  private hardState: HardState | undefined
  /** A hard state with a newer commit index than the log's last one, and nothing else that is new. */
  private waitingHardState: HardState | undefined
  private lastIndex: LogIndex
  private releasedIndex: LogIndex = 0
  /** The call being carried out. Invariant: never two. */
  private running: Promise<void> | undefined
  private fault: StorageFault | undefined
  private isClosed = false

  private constructor(
    place: { readonly fileSystem: FileSystem; readonly directory: string },
    state: {
      readonly metadata: WalMetadata
      readonly segments: readonly Segment[]
      readonly tail: SegmentFile
      readonly encoder: RecordEncoder
      readonly hardState: HardState | undefined
      readonly lastIndex: LogIndex
    },
    options: WalOptions,
  ) {
    this.fileSystem = place.fileSystem
    this.directory = place.directory
    this.metadata = state.metadata
    this.options = options
    this.logger = options.logger ?? silentLogger
    this.segmentSizeBytes = options.segmentSizeBytes ?? defaultSegmentSizeBytes
    this.encoder = state.encoder
    this.pipeline = new SegmentPipeline(this.fileSystem, {
      directory: this.directory,
      sizeBytesMax: this.segmentSizeBytes,
    })
    this.segments = [...state.segments]
    this.tail = state.tail
    this.hardState = state.hardState
    this.lastIndex = state.lastIndex
  }

  /**
   * Makes a new, empty log. It exists from the moment its first segment has its name; a crash before leaves a directory
   * without segments, which counts as no log.
   *
   * @throws StorageFault  when there is a log already, or it cannot be written
   */
  static async create(
    fileSystem: FileSystem,
    directory: string,
    metadata: WalMetadata,
    options: WalOptions = {},
  ): Promise<WriteAheadLog> {
    if (await hasWriteAheadLog(fileSystem, directory)) {
      throw new StorageFault(`there is a write-ahead log in ${directory} already`, {
        path: directory,
      })
    }
    const segment = segmentOf(0, 0)
    const encoder = new RecordEncoder(0)
    const sizeBytesMax = options.segmentSizeBytes ?? defaultSegmentSizeBytes
    try {
      await fileSystem.makeDirectory(directory)
      const path = join(directory, '0.tmp')
      const temporary = await SegmentFile.create(fileSystem, { path, sizeBytesMax })
      encoder.addChecksum()
      encoder.addMetadata(metadata)
      encoder.addSnapshotMarker({ index: 0, term: 0, confState: undefined })
      const tail = await publishSegment({ fileSystem, directory }, temporary, {
        segment,
        header: encoder.bytes,
      })
      // The directory's own name and its parent's are as new as the segment.
      await fileSystem.syncDirectory(dirname(directory))
      await fileSystem.syncDirectory(dirname(dirname(directory)))
      const state = { metadata, segments: [segment], encoder, hardState: undefined, lastIndex: 0 }
      return new WriteAheadLog({ fileSystem, directory }, { ...state, tail }, options)
    } catch (error) {
      throw toFault(error, `the write-ahead log cannot be created in ${directory}`, directory)
    }
  }

  /**
   * Opens a log for writing and reads everything from a snapshot on (from the beginning when none is given). A torn tail
   * is cut off; what was cut stays beside the segment as `*.broken`.
   *
   * @throws StorageFault  the log is damaged, does not reach back to the snapshot, or has no record of it
   */
  static async open(
    fileSystem: FileSystem,
    directory: string,
    options: WalOptions & { readonly snapshot?: WalPosition } = {},
  ): Promise<WalContents> {
    const snapshot = options.snapshot ?? { index: 0, term: 0 }
    const contents = await WriteAheadLog.openFrom(fileSystem, directory, { ...options, snapshot })
    if (contents !== undefined) return contents
    const { index, term } = snapshot
    const text = `the write-ahead log has no usable record of the snapshot at index ${index}, term ${term}`
    throw new StorageFault(`${text} in ${directory}`, { path: directory })
  }

  /**
   * As {@link WriteAheadLog.open}, for a snapshot that the log may not know.
   *
   * @returns undefined, with nothing changed, when the log cannot be continued from this snapshot: it has no record of it,
   *   or none that the last hard state covers
   * @throws StorageFault  the log is damaged, or does not reach back to the snapshot
   */
  static async openFrom(
    fileSystem: FileSystem,
    directory: string,
    options: WalOptions & { readonly snapshot: WalPosition },
  ): Promise<WalContents | undefined> {
    const logger = options.logger ?? silentLogger
    const { snapshot } = options
    try {
      await removeTemporaries(fileSystem, directory)
      const all = await listSegments(fileSystem, directory)
      const recovered = await recoverLog({ fileSystem, directory, logger, snapshot })
      if (recovered === undefined) return undefined
      const encoder = new RecordEncoder(recovered.end.checksum)
      const tail = await openTail(
        { fileSystem, directory },
        recovered,
        options.segmentSizeBytes ?? defaultSegmentSizeBytes,
      )
      const { metadata, hardState, entries, snapshotMarkers, lastIndex } = recovered
      const { isTailRepaired } = recovered
      const state = { metadata, segments: all, tail, encoder, hardState, lastIndex }
      const log = new WriteAheadLog({ fileSystem, directory }, state, options)
      if (!recovered.hasTailHeader) await log.beginTail(recovered.checksumBeforeTail)
      return { log, metadata, hardState, entries, snapshotMarkers, isTailRepaired }
    } catch (error) {
      throw toFault(error, `the write-ahead log in ${directory} cannot be opened`, directory)
    }
  }

  /**
   * Writes entries, then the hard state if one is given, in one piece; resolves when they are durable (`mustSync`) or at
   * least with the system. A hard state alone that need not be synced goes with the next write. Entries replace whatever
   * the log holds from their first index on.
   *
   * @throws StorageFault  the disk failed, now or in an earlier call
   */
  save(
    hardState: HardState | undefined,
    entries: readonly Entry[],
    options: { readonly mustSync: boolean },
  ): Promise<void> {
    if (this.fault === undefined && this.waitsForNextWrite(hardState, entries, options.mustSync)) {
      return Promise.resolve()
    }
    return this.run(() => this.writeBatch(hardState, entries, options.mustSync))
  }

  /**
   * As {@link save}, done on return, where holding up the thread for it is brief or the disk is not needed. False: nothing
   * was done.
   *
   * @throws StorageFault  the disk failed
   */
  saveDirect(
    hardState: HardState | undefined,
    entries: readonly Entry[],
    options: { readonly mustSync: boolean },
  ): boolean {
    if (this.running !== undefined || this.fault !== undefined || this.isClosed) return false
    if (this.waitsForNextWrite(hardState, entries, options.mustSync)) return true
    if (this.options.plantedBugs !== undefined) return false
    const writer = this.tail.findDirectWriter(encodedSizeBytesMax(entries))
    if (writer === undefined) return false
    try {
      this.encoder.reset()
      this.addBatch(hardState, entries)
      this.tail.appendDirect(writer, this.encoder.bytes)
      this.writtenBytes += this.encoder.bytes.length
      const startMs = this.options.clock?.monotonicMs()
      failpoint('walBeforeSync')
      writer.sync()
      failpoint('walAfterSync')
      this.noteSync(startMs)
    } catch (error) {
      this.fault = toFault(error, 'the write-ahead log cannot be written', this.tail.path)
      throw this.fault
    }
    this.prepareRoom()
    return true
  }

  /** Nothing new, or only the commit index: that is found again after a crash, so it goes with the next write. */
  private waitsForNextWrite(
    hardState: HardState | undefined,
    entries: readonly Entry[],
    mustSync: boolean,
  ): boolean {
    if (entries.length > 0) return false
    if (hardState === undefined) return true
    if (mustSync || this.writesStatesApart) return false
    this.waitingHardState = hardState
    return true
  }

  /**
   * Records that a snapshot exists, durably. Its file must be durable before; what relies on it is saved after.
   *
   * @throws StorageFault  the disk failed, now or in an earlier call
   */
  saveSnapshotMarker(metadata: SnapshotMetadata): Promise<void> {
    return this.run(async () => {
      this.encoder.reset()
      // The marker counts only when the hard state covers it.
      this.addWaitingHardState()
      this.encoder.addSnapshotMarker(metadata)
      this.lastIndex = Math.max(this.lastIndex, metadata.index)
      await this.appendEncoded(true)
    })
  }

  /** Entries up to `index` will not be asked for by any start; segments that hold nothing else may be purged. */
  releaseTo(index: LogIndex): void {
    this.releasedIndex = Math.max(this.releasedIndex, index)
  }

  /**
   * Deletes the oldest released segments beyond five; to be called every 30 s or so.
   *
   * @returns the names deleted
   * @throws StorageFault  a segment cannot be deleted
   */
  async purge(): Promise<readonly string[]> {
    const purged: string[] = []
    try {
      while (this.segments.length > keptSegmentCount && this.isOldestReleased()) {
        const oldest = this.segments.shift()
        if (oldest === undefined) break
        await this.fileSystem.remove(join(this.directory, oldest.name))
        purged.push(oldest.name)
      }
      if (purged.length > 0) await this.fileSystem.syncDirectory(this.directory)
    } catch (error) {
      throw toFault(error, 'old segments of the log cannot be deleted', this.directory)
    }
    return purged
  }

  /** Waits for the call in flight, syncs and closes. Closing twice does nothing. */
  async close(): Promise<void> {
    if (this.isClosed) return
    this.isClosed = true
    // Its failure belongs to its own caller, and is kept in `fault`.
    await this.running?.catch(() => undefined)
    // Room that could not be laid ahead is missed by the next append alone, which then says so.
    await this.tail.settle().catch(() => undefined)
    await this.pipeline.dispose()
    try {
      if (this.fault === undefined) await this.writeRest()
    } finally {
      await this.tail.handle.close()
    }
  }

  private async writeRest(): Promise<void> {
    if (this.waitingHardState !== undefined) {
      this.encoder.reset()
      this.addWaitingHardState()
      await this.tail.append(this.encoder.bytes)
      this.writtenBytes += this.encoder.bytes.length
    }
    await this.tail.handle.sync()
  }

  /** Segments on disk, the one being written included. */
  get segmentCount(): number {
    return this.segments.length
  }

  /** Index of the first entry that the segment being written may hold. A start from there on reads nothing older. */
  get tailFirstIndex(): LogIndex {
    return this.segments.at(-1)?.firstIndex ?? 0
  }

  private run(work: () => Promise<void>): Promise<void> {
    assert(this.running === undefined, 'one call at a time writes to the log')
    if (this.fault !== undefined) return Promise.reject(this.fault)
    assert(!this.isClosed, 'nothing is written to a closed log')
    const running = this.guard(work)
    this.running = running
    return running
  }

  private async guard(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      this.fault = toFault(error, 'the write-ahead log cannot be written', this.tail.path)
      throw this.fault
    } finally {
      this.running = undefined
    }
  }

  private async writeBatch(
    hardState: HardState | undefined,
    entries: readonly Entry[],
    mustSync: boolean,
  ): Promise<void> {
    this.encoder.reset()
    if (hardState !== undefined && this.writesStatesApart) {
      this.addHardState(hardState)
      await this.appendEncoded(mustSync)
      this.encoder.reset()
    }
    this.addBatch(hardState, entries)
    await this.appendEncoded(mustSync)
  }

  private addBatch(hardState: HardState | undefined, entries: readonly Entry[]): void {
    for (const entry of entries) this.encoder.addEntry(entry)
    const lastEntry = entries.at(-1)
    if (lastEntry !== undefined) this.lastIndex = lastEntry.index
    // The state comes last: after a tear it must never commit more than the log holds.
    if (hardState === undefined) this.addWaitingHardState()
    else if (!this.writesStatesApart) this.addHardState(hardState)
  }

  private get writesStatesApart(): boolean {
    return this.options.plantedBugs?.writesHardStateApart === true
  }

  private addWaitingHardState(): void {
    if (this.waitingHardState !== undefined) this.addHardState(this.waitingHardState)
  }

  private addHardState(hardState: HardState): void {
    this.encoder.addHardState(hardState)
    this.hardState = hardState
    this.waitingHardState = undefined
  }

  private async appendEncoded(mustSync: boolean): Promise<void> {
    await this.tail.append(this.encoder.bytes)
    this.writtenBytes += this.encoder.bytes.length
    if (this.tail.offsetBytes >= this.segmentSizeBytes) {
      await this.cut()
      return
    }
    if (mustSync && this.options.plantedBugs?.skipsSync !== true) await this.sync()
    this.prepareRoom()
  }

  private prepareRoom(): void {
    this.tail.allocateAhead()
    if (this.tail.offsetBytes > this.segmentSizeBytes / 2) this.pipeline.prepare()
  }

  private async sync(): Promise<void> {
    const startMs = this.options.clock?.monotonicMs()
    await failpointPause('walBeforeSync')
    await this.tail.handle.sync()
    await failpointPause('walAfterSync')
    this.noteSync(startMs)
  }

  private noteSync(startMs: number | undefined): void {
    const { clock } = this.options
    if (clock === undefined || startMs === undefined) return
    const tookMs = clock.monotonicMs() - startMs
    this.syncTimes.recordMs(tookMs)
    if (tookMs > slowSyncMs) this.logger.warn('slow sync of the write-ahead log', { tookMs })
  }

  /** Closes the full segment at its exact end and goes on in the prepared one. */
  private async cut(): Promise<void> {
    const full = this.tail
    await full.settle()
    await full.handle.truncate(full.offsetBytes)
    await full.handle.sync()
    const last = this.segments.at(-1)
    assert(last !== undefined, 'a log has at least one segment')
    const segment = segmentOf(last.sequence + 1, this.lastIndex + 1)
    const place = { fileSystem: this.fileSystem, directory: this.directory }
    const prepared = await this.pipeline.take()
    this.tail = await publishSegment(place, prepared, { segment, header: this.encodeHeader() })
    this.segments.push(segment)
    await full.handle.close()
  }

  private encodeHeader(): Uint8Array {
    this.encoder.reset()
    this.encoder.addChecksum()
    this.encoder.addMetadata(this.metadata)
    if (this.hardState !== undefined) this.encoder.addHardState(this.hardState)
    return this.encoder.bytes
  }

  /** A crash may leave the last segment without its opening records; whoever begins to read there needs them. */
  private async beginTail(checksum: number): Promise<void> {
    this.encoder.continueFrom(checksum)
    this.tail.offsetBytes = 0
    await this.tail.append(this.encodeHeader())
    await this.tail.handle.sync()
  }

  private isOldestReleased(): boolean {
    const second = this.segments[1]
    return second !== undefined && second.firstIndex <= this.releasedIndex
  }
}

/** Files prepared for a segment that never came to be. */
async function removeTemporaries(fileSystem: FileSystem, directory: string): Promise<void> {
  for (const name of await listOrEmpty(fileSystem, directory)) {
    if (name.endsWith('.tmp')) await fileSystem.remove(join(directory, name))
  }
}

function toFault(error: unknown, text: string, path: string): StorageFault {
  if (error instanceof StorageFault) return error
  const reason = error instanceof Error ? error.message : String(error)
  return new StorageFault(`${text}: ${reason}`, { path, cause: error })
}
