import { assert } from '../base/assert.ts'
import type { Logger } from '../base/logger.ts'
import type { FileSystem } from '../io/file-system.ts'
import type { Snapshot } from '../raft/message.ts'
import type { WalPosition } from './write-ahead-log.ts'

/** Writes `<term>-<index>.snap` durably (temporary name, sync, rename, directory sync). */
export function saveSnapshotFile(
  _fileSystem: FileSystem,
  _directory: string,
  _snapshot: Snapshot,
): Promise<void> {
  assert(false, 'saveSnapshotFile follows in the next commit')
}

/**
 * The newest readable snapshot among `positions` (those that the log has a record of); undefined when there is none.
 * A file that is damaged is renamed to `*.broken` and the next older one is tried.
 */
export function loadNewestSnapshotFile(
  _fileSystem: FileSystem,
  _directory: string,
  _options: { readonly positions: readonly WalPosition[]; readonly logger?: Logger },
): Promise<Snapshot | undefined> {
  assert(false, 'loadNewestSnapshotFile follows in the next commit')
}

/** Deletes the oldest snapshot files beyond `fileCountMax` (5 when absent); returns the names deleted. */
export function purgeSnapshotFiles(
  _fileSystem: FileSystem,
  _directory: string,
  _fileCountMax = 5,
): Promise<readonly string[]> {
  assert(false, 'purgeSnapshotFiles follows in the next commit')
}
