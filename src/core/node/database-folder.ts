/**
 * Which of the databases in `member/db/` is the live one.
 *
 * The problem: a snapshot received from a peer replaces the whole database, and a crash at any moment must leave either
 * the old one or the new one in force, never a mixture and never none. The plain idea: every database has a directory of
 * its own, numbered; a small file `CURRENT` names the live one and those that were received but are not yet in force. The
 * file is replaced whole (temporary name, sync, rename, directory sync). Example:
 *
 *     {"live":3,"received":[{"number":4,"index":1200,"term":7}]}
 *
 * means that `data-0003` is live, and that `data-0004` takes over when the log says that the snapshot at index 1200 was
 * accepted. A database without a mention is a leftover and is removed at start.
 */
import { failpoint, failpointPause } from '../base/failpoints.ts'
import { readAppliedState, writeAppliedState } from '../apply/applied-index.ts'
import type { Backend, BackendFactory } from '../backend/backend.ts'
import { assert } from '../base/assert.ts'
import type { Logger } from '../base/logger.ts'
import { StorageFault } from '../errors/storage-fault.ts'
import type { FileSystem } from '../io/file-system.ts'
import type { LogIndex, SnapshotMetadata, Term } from '../raft/message.ts'
import { importOpenFile } from '../snapshot/database-import.ts'

/** A database that was received and stored, and waits for the log to accept its snapshot. */
interface ReceivedDatabase {
  readonly number: number
  readonly index: LogIndex
  readonly term: Term
}

interface FolderState {
  readonly live: number
  readonly received: readonly ReceivedDatabase[]
}

/** Behind the name of a database: the file that it is made of. */
const receivedSuffix = '.snap.db.tmp'

/** Beyond this, the pointer file is not ours. */
const pointerSizeBytesMax = 65_536

/** The databases of one node; owns the directory. */
export class DatabaseFolder {
  private readonly fileSystem: FileSystem
  private readonly factory: BackendFactory
  private readonly directory: string
  private readonly logger: Logger
  /** Invariant: as in the pointer file. */
  private state: FolderState
  private newestNumber: number
  /** Numbers of databases that are being received. */
  /** Settles when the place that the last defragmentation left is removed. */
  lastRemoval: Promise<void> = Promise.resolve()
  private readonly importing = new Set<number>()
  /** Settles with the last update of the pointer file; updates run one after the other. */
  private lastUpdate: Promise<unknown> = Promise.resolve()

  private constructor(
    parts: {
      readonly fileSystem: FileSystem
      readonly factory: BackendFactory
      readonly logger: Logger
    },
    directory: string,
    state: FolderState,
  ) {
    this.fileSystem = parts.fileSystem
    this.factory = parts.factory
    this.logger = parts.logger
    this.directory = directory
    this.state = state
    this.newestNumber = Math.max(state.live, ...state.received.map((received) => received.number))
  }

  /**
   * Reads the pointer file, or begins a new folder.
   * @throws StorageFault when the pointer file is damaged
   */
  static async open(
    parts: {
      readonly fileSystem: FileSystem
      readonly factory: BackendFactory
      readonly logger: Logger
    },
    directory: string,
  ): Promise<DatabaseFolder> {
    await parts.fileSystem.makeDirectory(directory)
    const stored = await loadPointer(parts.fileSystem, pointerPath(directory))
    const folder = new DatabaseFolder(parts, directory, stored ?? { live: 1, received: [] })
    if (stored === undefined) await folder.update((state) => state)
    return folder
  }

  /** Number of the database in force. */
  get liveNumber(): number {
    return this.state.live
  }

  /** Opens the live database; an absent one is made. */
  openLive(): Promise<Backend> {
    return this.factory.open(this.pathOf(this.state.live))
  }

  /**
   * Stores a database that a peer sent with its snapshot, as an etcd database file; durable when this resolves. Earlier
   * ones that were never put in force are forgotten when they are not ahead of what is applied.
   * @throws StorageFault when the file is cut short or damaged, or of a later moment than its snapshot
   */
  async receive(
    snapshot: SnapshotMetadata & { readonly appliedIndex: LogIndex },
    chunks: AsyncIterable<Uint8Array>,
  ): Promise<void> {
    this.newestNumber++
    const number = this.newestNumber
    this.importing.add(number)
    try {
      await this.importDatabase(number, snapshot, chunks)
      const { index, term, appliedIndex } = snapshot
      const isKept = (received: ReceivedDatabase): boolean =>
        received.index !== index && received.index > appliedIndex
      const forgotten = this.state.received.filter((received) => !isKept(received))
      await this.update((state) => {
        const others = state.received.filter(isKept)
        return { ...state, received: [...others, { number, index, term }] }
      })
      for (const received of forgotten) await this.factory.remove(this.pathOf(received.number))
    } finally {
      this.importing.delete(number)
    }
  }

  /** The file is written whole before it is read: what is known last stands at its beginning. */
  private async importDatabase(
    number: number,
    { index, term, confState }: SnapshotMetadata,
    chunks: AsyncIterable<Uint8Array>,
  ): Promise<void> {
    const path = `${this.pathOf(number)}${receivedSuffix}`
    const file = await this.fileSystem.open(path, { create: true })
    try {
      await file.truncate(0)
      let sizeBytes = 0
      for await (const chunk of chunks) {
        await file.write(sizeBytes, [chunk])
        sizeBytes += chunk.length
      }
      await this.factory.build(this.pathOf(number), async (backend) => {
        await importOpenFile(file, sizeBytes, backend)
        const applied = readAppliedState(backend)
        if (applied.index > index) {
          throw new StorageFault(
            `a received database is at index ${applied.index}, after its snapshot at ${index}`,
            { path },
          )
        }
        const batch = backend.beginBatch()
        writeAppliedState(batch, { index, term, confState })
        backend.commitBatch(batch)
        await backend.flush()
      })
    } finally {
      await file.close()
      await this.fileSystem.remove(path)
    }
  }

  /** Whether a database for this snapshot was received. */
  hasReceived(index: LogIndex): boolean {
    return this.state.received.some((received) => received.index === index)
  }

  /**
   * Puts the database received for a snapshot in force, durably, and opens it. The old one stays: its owner closes it and
   * then calls {@link removeReplaced}.
   * @throws StorageFault when none was received for this index
   */
  async switchTo(index: LogIndex): Promise<Backend> {
    const chosen = this.state.received.find((received) => received.index === index)
    if (chosen === undefined) {
      throw new StorageFault(`no database was received for the snapshot at index ${index}`, {
        path: this.directory,
      })
    }
    await this.update((state) => ({
      live: chosen.number,
      received: state.received.filter((received) => received.index > index),
    }))
    this.logger.info('database replaced by a received one', { index, number: chosen.number })
    return this.openLive()
  }

  /**
   * Moves the database in force to a new place without gaps, while it is read and written. A crash on the way finds the old
   * place or the new one in force, both whole; the other is a leftover. The old place is removed when its last reader is
   * done.
   *
   * @param backend  the open one of the database in force
   * @returns number of the new place; undefined when another database was put in force meanwhile, or the backend closed
   * @throws Error when the copy cannot be made: the database goes on where it is
   */
  async defragment(backend: Backend): Promise<number | undefined> {
    this.newestNumber++
    const number = this.newestNumber
    const directory = this.pathOf(number)
    const old = this.state.live
    const progress = { isPublishing: false }
    this.importing.add(number)
    try {
      failAt('defragOpenFileError')
      await failpointPause('defragBeforeCopy')
      failAt('defragdbFail')
      const moved = await backend.defragment({
        directory,
        publish: async () => {
          await failpointPause('defragBeforeRename')
          progress.isPublishing = true
          return this.publish(old, number)
        },
      })
      if (moved === undefined) await this.factory.remove(directory)
      else this.lastRemoval = this.removeWhenClosed(old, moved.oldClosed)
      return moved === undefined ? undefined : number
    } catch (error) {
      // Once the pointer file was touched, nobody knows which place it names; the next start does.
      if (progress.isPublishing) throw error
      await this.factory.remove(directory)
      const reason = error instanceof Error ? error.message : String(error)
      throw new Error(`the database was not defragmented: ${reason}`, { cause: error })
    } finally {
      this.importing.delete(number)
    }
  }

  /** @returns whether the old one was still in force */
  private async publish(old: number, number: number): Promise<boolean> {
    const outcome = { isWanted: false }
    await this.update((state) => {
      outcome.isWanted = state.live === old
      return outcome.isWanted ? { ...state, live: number } : state
    })
    return outcome.isWanted
  }

  private async removeWhenClosed(number: number, closed: Promise<void>): Promise<void> {
    try {
      await closed
      await this.factory.remove(this.pathOf(number))
    } catch (error) {
      this.logger.warn('a database that was replaced stays until the next start', {
        number,
        reason: String(error),
      })
    }
  }

  /** Removes a database that is not in force any more and was closed. */
  async removeReplaced(number: number): Promise<void> {
    assert(number !== this.state.live, 'the database in force is kept')
    await this.factory.remove(this.pathOf(number))
  }

  /** Removes databases that nothing mentions. Only at start: later, one that was replaced may still be read. */
  private async removeLeftovers(): Promise<void> {
    const kept = new Set(this.importing)
    kept.add(this.state.live)
    for (const received of this.state.received) kept.add(received.number)
    for (const name of await this.fileSystem.list(this.directory)) {
      const isReceivedFile = name.startsWith('data-') && name.endsWith(receivedSuffix)
      if (isReceivedFile) await this.fileSystem.remove(`${this.directory}/${name}`)
      const number = /^data-(\d+)$/.exec(name)?.[1]
      if (number === undefined || kept.has(Number(number))) continue
      await this.factory.remove(`${this.directory}/${name}`)
    }
  }

  /** At start, nothing can be under way: what was received and never accepted is dropped. */
  async forgetReceived(): Promise<void> {
    if (this.state.received.length > 0) {
      await this.update((state) => ({ live: state.live, received: [] }))
    }
    await this.removeLeftovers()
  }

  private pathOf(number: number): string {
    return `${this.directory}/data-${String(number).padStart(4, '0')}`
  }

  private update(change: (state: FolderState) => FolderState): Promise<void> {
    const done = this.lastUpdate.then(async () => {
      const next = change(this.state)
      await this.store(next)
      this.state = next
    })
    // Whoever asked for this update is told of its failure; the next one only waits for its end.
    this.lastUpdate = done.catch(() => undefined)
    return done
  }

  private async store(state: FolderState): Promise<void> {
    const path = pointerPath(this.directory)
    const temporary = `${path}.tmp`
    await this.fileSystem.remove(temporary)
    const file = await this.fileSystem.open(temporary, { create: true })
    try {
      await file.write(0, [new TextEncoder().encode(`${JSON.stringify(state)}\n`)])
      await file.sync()
    } finally {
      await file.close()
    }
    await this.fileSystem.rename(temporary, path)
    await this.fileSystem.syncDirectory(this.directory)
  }
}

/** @throws Error  with the text that a test wants */
function failAt(name: 'defragOpenFileError' | 'defragdbFail'): void {
  const failure = failpoint(name)
  if (failure !== undefined) throw new Error(failure)
}

function pointerPath(directory: string): string {
  return `${directory}/CURRENT`
}

async function loadPointer(fileSystem: FileSystem, path: string): Promise<FolderState | undefined> {
  const sizeBytes = await fileSystem.findSize(path)
  if (sizeBytes === undefined) return undefined
  const file = await fileSystem.openForReading(path)
  try {
    const bytes = await file.read(0, Math.min(sizeBytes, pointerSizeBytesMax))
    return parsePointer(new TextDecoder().decode(bytes), path)
  } finally {
    await file.close()
  }
}

function parsePointer(text: string, path: string): FolderState {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new StorageFault('the file that names the live database is damaged', {
      path,
      cause: error,
    })
  }
  if (!isFolderState(value)) {
    throw new StorageFault('the file that names the live database has an unknown form', { path })
  }
  return value
}

function isFolderState(value: unknown): value is FolderState {
  if (typeof value !== 'object' || value === null) return false
  const { live, received } = value as Record<string, unknown>
  return Number.isSafeInteger(live) && Array.isArray(received) && received.every(isReceivedDatabase)
}

function isReceivedDatabase(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { number, index, term } = value as Record<string, unknown>
  return [number, index, term].every((field) => Number.isSafeInteger(field))
}
