/**
 * Snapshots of the database for clients: etcd database files, written beside the running node and read from there.
 *
 * The problem: such a file begins with what is known last, so it cannot be sent while it is made, and a hundred callers at
 * once must not fill the disk with a hundred files. The plain idea: one file is written at a time; whoever asks meanwhile
 * waits for the next one and shares it with all who came in that time; the last reader's release removes it. Example: of
 * three calls a, b, c that come one after the other, a gets the first file, and b and c, which came while it was being
 * written, share the second.
 *
 * A file that a dead process left behind is removed at the next start.
 */
import type { BackendView } from '../backend/backend.ts'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { compareReleases, parseRelease, type Release } from '../base/release.ts'
import { StoreError } from '../errors/store-error.ts'
import type { FileHandle, FileSystem } from '../io/file-system.ts'
import { writeDatabaseFile } from '../snapshot/database-export.ts'
import type { StateMachine, StateView } from './state-machine.ts'

/** An etcd database file, for reading. Must be released, once. */
export interface DatabaseSnapshot {
  readonly sizeBytes: number
  /** Of the storage, such as `3.6.0`; empty where it has none. */
  readonly storageVersion: string
  read(offsetBytes: number, sizeBytes: number): Promise<Uint8Array>
  release(): void
}

export interface DatabaseSnapshotsParts {
  readonly clock: Clock
  readonly logger: Logger
  readonly fileSystem: FileSystem
  readonly machine: Pick<StateMachine, 'withDatabase'>
}

export interface DatabaseSnapshotsOptions {
  /** Where the files are written. */
  readonly directory: string
  /** As major.minor.0; empty while none is decided. */
  readonly storageVersion: () => string
}

interface SnapshotFile {
  readonly path: string
  readonly handle: FileHandle
  readonly sizeBytes: number
}

/** One file with those who wait for it or read it. */
interface SharedSnapshot {
  readonly file: Promise<SnapshotFile>
  hasBegun: boolean
  readerCount: number
}

/** Read from a file at once. */
const transferSizeBytes = 262_144

const namePattern = /^snapshot-\d+\.db\.tmp$/

/** The files of one node. */
export class DatabaseSnapshots {
  private readonly parts: DatabaseSnapshotsParts
  private readonly options: DatabaseSnapshotsOptions
  /** The newest; may be joined until its writing begins. */
  private newest: SharedSnapshot | undefined
  private lastNumber = 0
  private isHalted = false

  constructor(parts: DatabaseSnapshotsParts, options: DatabaseSnapshotsOptions) {
    this.parts = parts
    this.options = options
  }

  /** Removes what an earlier process left behind. */
  async removeLeftovers(): Promise<void> {
    const { fileSystem } = this.parts
    const { directory } = this.options
    for (const name of await fileSystem.list(directory)) {
      if (namePattern.test(name)) await fileSystem.remove(`${directory}/${name}`)
    }
  }

  /** Writes no further file, nor the rest of one; those that are being read stay until they are released. */
  halt(): void {
    this.isHalted = true
  }

  /** As {@link halt}, and resolves when the database is not read any more. */
  async finish(): Promise<void> {
    this.halt()
    // Those who asked for the file are told of its failure.
    await this.newest?.file.catch(() => undefined)
  }

  /**
   * The whole state, not older than the call.
   *
   * @throws StoreError `stopped`; StorageFault for damaged data; the system's error where the file cannot be written
   */
  async take(): Promise<DatabaseSnapshot> {
    const shared = this.joinable()
    shared.readerCount++
    let isReleased = false
    const release = (): void => {
      if (isReleased) return
      isReleased = true
      shared.readerCount--
      if (shared.readerCount === 0) this.remove(shared)
    }
    try {
      const { handle, sizeBytes } = await shared.file
      return {
        sizeBytes,
        storageVersion: this.options.storageVersion(),
        read: (offsetBytes, readSizeBytes) => handle.read(offsetBytes, readSizeBytes),
        release,
      }
    } catch (error) {
      release()
      throw error
    }
  }

  /**
   * One view as the bytes of an etcd database file, for a peer. `release` must be called in the end, whether the chunks
   * were read or not; those who are read end with an error then.
   */
  transfer(state: StateView): {
    readonly chunks: AsyncIterable<Uint8Array>
    readonly release: () => void
  } {
    const progress = { hasBegun: false, isReleased: false }
    const assertWanted = (): void => {
      this.assertRunning()
      if (progress.isReleased) throw new StoreError('stopped')
    }
    const chunks = {
      [Symbol.asyncIterator]: () => {
        progress.hasBegun = true
        return this.chunksOf(state, assertWanted)
      },
    }
    const release = (): void => {
      // Once the reading has begun it closes the view itself, however it ends.
      if (!progress.hasBegun && !progress.isReleased) state.close()
      progress.isReleased = true
    }
    return { chunks, release }
  }

  private async *chunksOf(
    state: StateView,
    assertWanted: () => void,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const written = await this.writeFile(state.view, assertWanted).finally(() => {
      state.close()
    })
    try {
      for (let offset = 0; offset < written.sizeBytes; offset += transferSizeBytes) {
        assertWanted()
        yield await written.handle.read(
          offset,
          Math.min(transferSizeBytes, written.sizeBytes - offset),
        )
      }
    } finally {
      await written.handle.close()
      await this.parts.fileSystem.remove(written.path)
    }
  }

  private joinable(): SharedSnapshot {
    if (this.newest !== undefined && !this.newest.hasBegun) return this.newest
    const previous = this.newest?.file
    const write = async (): Promise<SnapshotFile> => {
      // Its own callers are told of a failure; the next file only waits for its end.
      await previous?.catch(() => undefined)
      shared.hasBegun = true
      return this.write()
    }
    const shared: SharedSnapshot = {
      file: Promise.resolve().then(write),
      hasBegun: false,
      readerCount: 0,
    }
    this.newest = shared
    return shared
  }

  private async write(): Promise<SnapshotFile> {
    this.assertRunning()
    const { machine } = this.parts
    return machine.withDatabase(async ({ backend }) => {
      const view = backend.openView()
      try {
        return await this.writeFile(view, () => {
          this.assertRunning()
        })
      } finally {
        view.close()
      }
    })
  }

  private async writeFile(view: BackendView, assertWanted: () => void): Promise<SnapshotFile> {
    const { clock, logger, fileSystem } = this.parts
    const { directory, storageVersion } = this.options
    const path = `${directory}/snapshot-${++this.lastNumber}.db.tmp`
    const startedMs = clock.monotonicMs()
    const handle = await fileSystem.open(path, { create: true })
    try {
      await handle.truncate(0)
      const { sizeBytes } = await writeDatabaseFile(view, handle, {
        clock,
        storageVersion: writtenStorageVersion(storageVersion()),
        assertWanted,
      })
      const tookMs = Math.round(clock.monotonicMs() - startedMs)
      logger.info('database snapshot written', { path, sizeBytes, tookMs })
      return { path, handle, sizeBytes }
    } catch (error) {
      await handle.close()
      await fileSystem.remove(path)
      throw error
    }
  }

  private assertRunning(): void {
    if (this.isHalted) throw new StoreError('stopped')
  }

  /** Nobody reads it any more. */
  private remove(shared: SharedSnapshot): void {
    const { fileSystem, logger } = this.parts
    shared.file
      .then(async ({ handle, path }) => {
        await handle.close()
        await fileSystem.remove(path)
      })
      .catch((error: unknown) => {
        logger.warn('a database snapshot could not be removed', { reason: String(error) })
      })
  }
}

/** etcd has written one since 3.6. */
export function writtenStorageVersion(storageVersion: string): string | undefined {
  const release = parseRelease(storageVersion)
  if (release === undefined || compareReleases(release, firstWritten) < 0) return undefined
  return storageVersion
}

const firstWritten: Release = { major: 3, minor: 6 }
