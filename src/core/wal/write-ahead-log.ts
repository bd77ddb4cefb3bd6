import type { Clock } from '../base/clock.ts'
import type { ClusterId, NodeId } from '../base/ids.ts'
import type { Logger } from '../base/logger.ts'
import { assert } from '../base/assert.ts'
import type { FileSystem } from '../io/file-system.ts'
import type {
  ConfState,
  Entry,
  HardState,
  LogIndex,
  SnapshotMetadata,
  Term,
} from '../raft/message.ts'
import type { WalPlantedBugs } from './planted-bugs.ts'

/** Whose log this is; the same in every segment. */
export interface WalMetadata {
  readonly nodeId: NodeId
  readonly clusterId: ClusterId
}

/** A snapshot that the log knows of. `confState` is absent in logs of etcd 3.4 and before, and at index 0. */
export interface WalSnapshotMarker {
  readonly index: LogIndex
  readonly term: Term
  readonly confState: ConfState | undefined
}

/** A position in the log: everything up to here is covered by a snapshot. */
export interface WalPosition {
  readonly index: LogIndex
  readonly term: Term
}

export interface WalOptions {
  /** Silent when absent. */
  readonly logger?: Logger
  /** Only to warn of slow syncs; no warning when absent. */
  readonly clock?: Clock
  /** A segment is closed once it has grown beyond this; 64,000,000 when absent. */
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
  /** Every snapshot record met, oldest first. */
  readonly snapshotMarkers: readonly WalSnapshotMarker[]
}

/** Whether the directory holds a log: at least one segment. An absent directory holds none. */
export async function hasWriteAheadLog(
  fileSystem: FileSystem,
  directory: string,
): Promise<boolean> {
  if ((await fileSystem.findSize(directory)) === undefined) return false
  return (await fileSystem.list(directory)).some((name) => name.endsWith('.wal'))
}

/**
 * Snapshots that a start may use: those recorded in the log and not beyond the commit index of the last hard state,
 * oldest first. Reads the whole log, changes nothing, tolerates a torn tail.
 *
 * @throws StorageFault  when the log is damaged
 */
export function readSnapshotMarkers(
  _fileSystem: FileSystem,
  _directory: string,
): Promise<readonly WalSnapshotMarker[]> {
  assert(false, 'readSnapshotMarkers follows in the next commit')
}

/** The write-ahead log; see the methods. */
export class WriteAheadLog {
  static create(
    _fileSystem: FileSystem,
    _directory: string,
    _metadata: WalMetadata,
    _options: WalOptions = {},
  ): Promise<WriteAheadLog> {
    assert(false, 'create follows in the next commit')
  }
  static open(
    _fileSystem: FileSystem,
    _directory: string,
    _options: WalOptions & { readonly snapshot?: WalPosition } = {},
  ): Promise<WalContents> {
    assert(false, 'open follows in the next commit')
  }
  /** One write and at most one sync. One call at a time. */
  save(
    _hardState: HardState | undefined,
    _entries: readonly Entry[],
    _options: { readonly mustSync: boolean },
  ): Promise<void> {
    assert(false, 'save follows in the next commit')
  }
  /** Records a snapshot and syncs. */
  saveSnapshotMarker(_metadata: SnapshotMetadata): Promise<void> {
    assert(false, 'saveSnapshotMarker follows in the next commit')
  }
  /** Entries up to `index` are no longer needed by a start; whole segments below it may be purged. Synchronous. */
  releaseTo(_index: LogIndex): void {
    assert(false, 'releaseTo follows in the next commit')
  }
  /** Deletes the oldest released segments beyond five; to be called every 30 s. Returns the names deleted. */
  purge(): Promise<readonly string[]> {
    assert(false, 'purge follows in the next commit')
  }
  close(): Promise<void> {
    assert(false, 'close follows in the next commit')
  }
}
