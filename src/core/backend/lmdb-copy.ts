/**
 * A compact copy of an LMDB environment that is being written.
 *
 * LMDB copies on a thread of its own, as of some moment after the copy began. What was written from the beginning on is
 * kept as a backlog and written to the copy as well, in order: changes are absolute, so those that the copy has already
 * do no harm, and once the backlog is empty the copy has everything.
 */
import { mkdir, open as openFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import { bucketNames } from './buckets.ts'
import { lmdbDataFileName, type BucketChange, type LmdbEnvironment } from './lmdb-environment.ts'
import { nameOfKey } from './key-name.ts'
import type { OverlayLayer } from './overlay.ts'

/** Changes that go to the copy in one transaction; queueing them takes about 2 ms of the calling thread. */
const transactionChangeCountMax = 2_000

/** Beyond this the applier waits: the copy falls behind faster than it is made. */
const backlogSizeBytesMax = 128 * 1_024 * 1_024

/** Written to the original since the copy began, oldest first. */
export class CopyBacklog {
  private layers: OverlayLayer[] = []
  sizeBytes = 0

  get hasRoom(): boolean {
    return this.sizeBytes < backlogSizeBytesMax
  }

  /** @param layers  newest first; must not change any more */
  add(layers: readonly OverlayLayer[]): void {
    for (let position = layers.length - 1; position >= 0; position--) {
      const layer = layers[position]
      if (layer === undefined) continue
      this.layers.push(layer)
      this.sizeBytes += layer.sizeBytes
    }
  }

  /** Everything there is, in pieces for one transaction each. */
  *take(): Iterable<readonly BucketChange[]> {
    const taken = this.layers
    this.layers = []
    this.sizeBytes = 0
    let piece: BucketChange[] = []
    for (const layer of taken) {
      for (const change of layer.changes()) {
        piece.push(change)
        if (piece.length < transactionChangeCountMax) continue
        yield piece
        piece = []
      }
    }
    if (piece.length > 0) yield piece
  }
}

/** Writes a compact copy into a directory that is made for it; durable when this resolves. */
export async function copyEnvironment(
  environment: LmdbEnvironment,
  directory: string,
): Promise<void> {
  await mkdir(directory, { recursive: true })
  await environment.backup(directory)
  await syncPath(join(directory, lmdbDataFileName))
  await syncPath(directory)
  await syncPath(dirname(directory))
}

/**
 * Makes a new copy safe to be written. LMDB's list of free pages is empty in a compact copy, and LMDB ends the process when
 * the first transaction of all frees so many pages that their list needs more than a page (some five hundred). So one
 * record is written as it is; from then on the list is never empty again.
 */
export async function beginFreeList(copy: LmdbEnvironment, clock: Clock): Promise<void> {
  for (const bucket of bucketNames) {
    for (const { key, value } of copy.newest.scan(copy.database(bucket), {})) {
      await copy.write([{ bucket, entry: { name: nameOfKey(key), key, value } }], clock)
      return
    }
  }
}

/** Makes a file's content, or the names in a directory, durable. */
export async function syncPath(path: string): Promise<void> {
  const handle = await openFile(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
