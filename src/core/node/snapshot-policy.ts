/**
 * When the log is cut: snapshots of our own, and how much stays for slow followers.
 *
 * Both go by the number of entries, as in etcd, and by bytes, so that neither a start nor memory depends on how large the
 * entries are. A start reads from the beginning of the segment that the newest snapshot lies in: so a snapshot is also due
 * as soon as all of the segments before the one being written have been applied.
 *
 * A snapshot of our own holds no keys: the database *is* the state, so the snapshot only says "up to this index the
 * database has everything". That must be true on disk first. Order: wait until the database is durable, which it becomes
 * at its own pace, write the snapshot file, record it in the log, and only then release the segments before it. A crash in between leaves an orphaned file at worst.
 */
import { failpoint } from '../base/failpoints.ts'
import { emptyBytes } from '../base/bytes.ts'
import type { Logger } from '../base/logger.ts'
import type { FileSystem } from '../io/file-system.ts'
import type { MemoryLogStorage } from '../raft/memory-log-storage.ts'
import type { ConfState, LogIndex, Snapshot, SnapshotMetadata, Term } from '../raft/message.ts'
import { purgeSnapshotFiles, saveSnapshotFile } from '../wal/snapshot-file.ts'
import type { WriteAheadLog } from '../wal/write-ahead-log.ts'

export interface SnapshotPolicyParts {
  readonly logger: Logger
  readonly fileSystem: FileSystem
  readonly wal: WriteAheadLog
  readonly storage: MemoryLogStorage
  readonly snapshotDirectory: string
}

export interface SnapshotPolicyOptions {
  /** Applied entries between two snapshots. */
  readonly entryCount: number
  /** Entries kept in memory behind the applied index. */
  readonly catchUpEntryCount: number
  /** Bytes of entries kept in memory, even if there are fewer entries then. */
  readonly catchUpSizeBytes: number
  readonly onFault: (fault: Error) => void
  /** Tells the driver that {@link SnapshotPolicy.record} has something to do. */
  readonly wake: () => void
}

/** Bytes of entries kept in memory by a member without others. */
const loneSizeBytes = 4_194_304

/** What has been applied, as the driver knows it between two runs of entries. */
export interface AppliedPosition {
  readonly index: LogIndex
  readonly term: Term
  readonly confState: ConfState
}

/** Snapshots of one node's own log. */
export class SnapshotPolicy {
  private readonly parts: SnapshotPolicyParts
  private readonly options: SnapshotPolicyOptions
  /** Index of the newest recorded snapshot, own or received. */
  private snapshotIndex: LogIndex
  private isMaking = false
  private isHalted = false
  /** Settles with the snapshot that is being made. */
  private making: Promise<void> = Promise.resolve()
  /** Written to its file, not yet recorded in the log. */
  private written: SnapshotMetadata | undefined
  private isPurgeDue = false

  constructor(parts: SnapshotPolicyParts, options: SnapshotPolicyOptions, snapshotIndex: LogIndex) {
    this.parts = parts
    this.options = options
    this.snapshotIndex = snapshotIndex
  }

  /** Begins a snapshot when enough was applied since the last one. Returns at once. */
  consider(applied: AppliedPosition, untilDurable: () => Promise<void>): void {
    if (this.isHalted || this.isMaking || !this.isDue(applied.index)) return
    this.isMaking = true
    this.making = this.make(applied, untilDurable).catch((error: unknown) => {
      // The end of the node closes the database under this; that is no fault.
      if (!this.isHalted)
        this.options.onFault(error instanceof Error ? error : new Error(String(error)))
    })
  }

  private isDue(appliedIndex: LogIndex): boolean {
    if (appliedIndex - this.snapshotIndex >= this.options.entryCount) return true
    const { tailFirstIndex } = this.parts.wal
    return this.snapshotIndex < tailFirstIndex && appliedIndex >= tailFirstIndex
  }

  private async make(applied: AppliedPosition, untilDurable: () => Promise<void>): Promise<void> {
    await untilDurable()
    if (this.stopsHere()) return
    const { fileSystem, snapshotDirectory } = this.parts
    const metadata: SnapshotMetadata = applied
    await saveSnapshotFile(fileSystem, snapshotDirectory, { metadata, data: emptyBytes })
    this.written = metadata
    this.options.wake()
  }

  /** Begins nothing any more, and resolves when what was begun has ended. It may wait for the database: flush that. */
  async finish(): Promise<void> {
    this.isHalted = true
    await this.making
  }

  /** Ends at once, without waiting. */
  halt(): void {
    this.isHalted = true
  }

  /** Read after an await, when the compiler still believes what was true before it. */
  private stopsHere(): boolean {
    return this.isHalted
  }

  /** Whether {@link record} has something to do. */
  get hasWork(): boolean {
    return this.written !== undefined || this.isPurgeDue
  }

  /** Puts a written snapshot into the log, and purges; to be called where nothing else writes to the log. */
  async record(): Promise<void> {
    const { wal, logger, fileSystem, snapshotDirectory } = this.parts
    const metadata = this.written
    if (metadata !== undefined) {
      this.written = undefined
      // A snapshot received meanwhile may have overtaken this one.
      if (metadata.index > this.snapshotIndex) {
        failpoint('raftBeforeWALSaveSnaphot')
        await wal.saveSnapshotMarker(metadata)
        this.snapshotIndex = metadata.index
        wal.releaseTo(metadata.index)
        failpoint('raftAfterWALRelease')
        logger.info('saved snapshot', { index: metadata.index, term: metadata.term })
      }
      this.isMaking = false
    }
    if (!this.isPurgeDue) return
    this.isPurgeDue = false
    const removed = [
      ...(await wal.purge()),
      ...(await purgeSnapshotFiles(fileSystem, snapshotDirectory)),
    ]
    if (removed.length > 0) logger.info('purged files', { removed })
  }

  /** Asks for a purge at the next {@link record}. */
  requestPurge(): void {
    this.isPurgeDue = true
    this.options.wake()
  }

  /**
   * Stores a received snapshot's file and its record in the log; its database is stored already. The caller saves the
   * hard state next and then calls {@link noteInstalled}.
   */
  async recordReceived(snapshot: Snapshot): Promise<void> {
    const { fileSystem, snapshotDirectory, wal } = this.parts
    await saveSnapshotFile(fileSystem, snapshotDirectory, snapshot)
    failpoint('raftBeforeWALSaveSnaphot')
    await wal.saveSnapshotMarker(snapshot.metadata)
  }

  /** The received snapshot is durable together with the hard state that covers it. */
  noteInstalled(index: LogIndex): void {
    this.snapshotIndex = Math.max(this.snapshotIndex, index)
    this.parts.wal.releaseTo(index)
    failpoint('raftAfterWALRelease')
  }

  /**
   * Drops entries from memory that no follower within reach needs, in steps, because each one copies what is kept.
   *
   * @param isAlone  there is no follower; one that is added is better off with a snapshot
   */
  compactMemory(appliedIndex: LogIndex, isHeld: boolean, isAlone: boolean): void {
    if (isHeld) return
    const { storage } = this.parts
    const { catchUpEntryCount, entryCount } = this.options
    const catchUpSizeBytes = isAlone
      ? Math.min(this.options.catchUpSizeBytes, loneSizeBytes)
      : this.options.catchUpSizeBytes
    const step = Math.max(1, Math.min(1_000, entryCount))
    const byCount = appliedIndex - catchUpEntryCount
    if (byCount - storage.firstIndex() >= step) storage.compact(byCount)
    if (storage.heldSizeBytes <= catchUpSizeBytes) return
    // An eighth more than must be dropped: the next entries have room without another step.
    const bySize = storage.indexBefore(catchUpSizeBytes - catchUpSizeBytes / 8)
    storage.compact(Math.min(bySize, appliedIndex))
  }
}
