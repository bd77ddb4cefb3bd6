/** An LMDB environment with our buckets: how it is opened, read, written and measured. */

import { failpoint } from '../base/failpoints.ts'
import { open, type Database, type DatabaseOptions, type RootDatabase } from 'lmdb'
import { assert } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import { StorageFault } from '../errors/storage-fault.ts'
import type { BucketName } from './backend.ts'
import { bucketNames } from './buckets.ts'
import { InstructionList } from './lmdb-instructions.ts'
import {
  describeLmdbCode,
  nativeLmdb,
  readOnlyFlag,
  type NativeDatabase,
  type NativeEnvironment,
  type NativeTreeStats,
} from './lmdb-native.ts'
import { openMap, type LmdbMap } from './lmdb-map.ts'
import { LmdbSnapshot } from './lmdb-snapshot.ts'
import type { OverlayEntry } from './overlay.ts'

/** A change and where it goes. */
export interface BucketChange {
  readonly bucket: BucketName
  readonly entry: OverlayEntry
}

/** The file in the directory that holds everything; the lock file beside it carries no state between processes. */
export const lmdbDataFileName = 'data.mdb'

/** Address space, not disk: large enough that the map of an ordinary store is never moved. */
const mapSizeBytes = 1_024 * 1_024 * 1_024
const databaseCountMax = 32
/** LMDB keeps two copies of its root record, one page each. */
const metaPageCount = 2
/** Listing so many changes takes a third of a millisecond; then others have their turn. */
const listedInTurnMax = 1_000
/** What the callback of a write is told before its end. */
const visibleStatus = 1

/** Opened by {@link openEnvironment}. */
export class LmdbEnvironment {
  /** Reads of what is committed, as of the last {@link renew}. */
  readonly newest: LmdbSnapshot
  private readonly root: RootDatabase
  private readonly native: NativeEnvironment
  private readonly keyBuffer: Uint8Array
  private readonly databases: ReadonlyMap<BucketName, NativeDatabase>
  private readonly map: LmdbMap | undefined
  private readonly instructions = new InstructionList()
  private isWriting = false

  constructor(
    root: RootDatabase,
    parts: {
      readonly native: NativeEnvironment
      readonly keyBuffer: Uint8Array
      readonly databases: ReadonlyMap<BucketName, NativeDatabase>
      readonly map: LmdbMap | undefined
    },
  ) {
    this.root = root
    this.map = parts.map
    this.native = parts.native
    this.keyBuffer = parts.keyBuffer
    this.databases = parts.databases
    this.newest = new LmdbSnapshot(this.native, this.keyBuffer, this.map)
  }

  /** By this name snapshots know a bucket. */
  database(bucket: BucketName): NativeDatabase {
    const database = this.databases.get(bucket)
    assert(database !== undefined, 'every bucket is opened with the environment')
    return database
  }

  /** What is committed now, until it is closed. */
  openSnapshot(): LmdbSnapshot {
    return new LmdbSnapshot(this.native, this.keyBuffer)
  }

  /**
   * One transaction, committed and synced; one at a time. The changes must stay as they are until then.
   *
   * @throws Error with LMDB's reason; nothing was written, or it is unknown what
   */
  async write(changes: Iterable<BucketChange>, clock: Clock): Promise<void> {
    assert(!this.isWriting, 'one transaction is written at a time')
    this.isWriting = true
    const { instructions } = this
    instructions.clear()
    let listedCount = 0
    for (const { bucket, entry } of changes) {
      if (++listedCount % listedInTurnMax === 0) await nextTurn(clock)
      const { dbi } = this.database(bucket)
      if (entry.value === undefined) instructions.remove(dbi, entry.key)
      else instructions.put(dbi, entry.key, entry.value)
    }
    failpoint('beforeStartDBTxn')
    await new Promise<void>((resolve, reject) => {
      this.native.startWriting(instructions.end(), (status) => {
        if (status === visibleStatus) return
        this.isWriting = false
        instructions.clear()
        if (status === 0) resolve()
        else reject(new Error(describeLmdbCode(status)))
      })
      // It runs on a thread of its own from here on.
      failpoint('afterStartDBTxn')
    })
  }

  /** Writes a compact copy of what is committed at some moment from now on into a directory, on another thread. */
  async backup(directory: string): Promise<void> {
    await this.root.backup(directory, true)
  }

  /** Allocated size, and the part of it in use, both in bytes. */
  size(): { readonly allocatedSizeBytes: number; readonly usedSizeBytes: number } {
    // The figures are those of the transaction that was begun last, whoever began it: so one is begun.
    const transaction = new nativeLmdb.Txn(this.native, readOnlyFlag)
    try {
      const root = this.native.stat()
      // LMDB does not say how many pages are free; what its trees occupy is in use.
      let usedPageCount = metaPageCount + pageCountOf(root) + pageCountOf(this.native.freeStat())
      for (const database of this.databases.values()) usedPageCount += pageCountOf(database.stat())
      const allocatedPageCount = this.native.info().lastPageNumber + 1
      return {
        allocatedSizeBytes: allocatedPageCount * root.pageSize,
        usedSizeBytes: usedPageCount * root.pageSize,
      }
    } finally {
      transaction.abort()
    }
  }

  /** Other snapshots must be closed. */
  async close(): Promise<void> {
    this.newest.close()
    this.map?.close()
    await this.root.close()
  }
}

/**
 * Opens the environment in a directory that exists, making an empty one where there is none.
 *
 * @throws StorageFault when LMDB cannot open it
 */
export function openEnvironment(directory: string): LmdbEnvironment {
  const root = openRoot(directory)
  let keyBuffer: Uint8Array | undefined
  const options = bucketOptions((target) => {
    keyBuffer = target
  })
  const stores = bucketNames.map((name) => [name, root.openDB(name, options)] as const)
  // Any read shows where the environment takes its keys from.
  stores[0]?.[1].get(Uint8Array.of(0))
  assert(keyBuffer !== undefined, 'a read goes through the key buffer')
  // A Buffer's `slice` does not copy.
  const plainKeyBuffer = new Uint8Array(keyBuffer.buffer, keyBuffer.byteOffset, keyBuffer.length)
  root.resetReadTxn()
  const { env } = root as unknown as { readonly env: NativeEnvironment }
  const databases = new Map(stores.map(([name, store]) => [name, nativeOf(store)]))
  // The library ends only a read transaction that it knows of, and one that goes on keeps freed pages from being used again.
  const readOnce = <Result>(read: () => Result): Result => {
    stores[0]?.[1].get(Uint8Array.of(0))
    const result = read()
    root.resetReadTxn()
    return result
  }
  const map = openMap(env, nativeOf(root), { keyBuffer: plainKeyBuffer, databases, readOnce })
  return new LmdbEnvironment(root, { native: env, keyBuffer: plainKeyBuffer, databases, map })
}

function nextTurn(clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    clock.nextTurn(resolve)
  })
}

function nativeOf(store: Database): NativeDatabase {
  return (store as unknown as { readonly db: NativeDatabase }).db
}

/** Bytes for keys; values are never read or written through these. */
function bucketOptions(onKeyBuffer: (target: Uint8Array) => void): DatabaseOptions {
  const keyEncoder = {
    writeKey: (key: Uint8Array, target: Uint8Array, start: number): number => {
      onKeyBuffer(target)
      target.set(key, start)
      return start + key.length
    },
    readKey: (source: Uint8Array, start: number, end: number): Uint8Array =>
      source.slice(start, end),
  }
  return { encoding: 'binary', ...({ keyEncoder } as object) }
}

function openRoot(directory: string): RootDatabase {
  try {
    return open({
      path: directory,
      noSubdir: false,
      maxDbs: databaseCountMax,
      mapSize: mapSizeBytes,
      eventTurnBatching: false,
    })
  } catch (cause) {
    throw new StorageFault('the database cannot be opened', { path: directory, cause })
  }
}

function pageCountOf(tree: NativeTreeStats): number {
  return tree.treeBranchPageCount + tree.treeLeafPageCount + tree.overflowPages
}
