import { equalBytes } from '../base/bytes.ts'
import { StorageFault } from '../errors/storage-fault.ts'
import type { Backend, BackendBatch } from '../backend/backend.ts'
import { ByteArena } from './byte-arena.ts'
import { CountIndex } from './count-index.ts'
import { findHead, putHead } from './index-store.ts'
import { succeed } from './key-index.ts'
import { putKeyRecord } from './key-record.ts'
import { compareRevisions, type Revision } from './revision.ts'
import type { KeyValueFields } from './stored-key-value.ts'

/** One change as another store kept it. */
export interface ImportedChange {
  readonly revision: Revision
  readonly isTombstone: boolean
  readonly fields: KeyValueFields
  /** The change's `mvccpb.KeyValue` as it was stored there; it must be what ours would be, byte for byte. */
  readonly encoded: Uint8Array
}

/**
 * Builds records and index of an empty store out of the changes of another one, in the order of their revisions.
 *
 * What was compacted there may be missing: create revision and version of a key come with its oldest change that is left.
 */
export class RevisionImport {
  private readonly arena = new ByteArena()
  private readonly counts: CountIndex
  private last: Revision = { main: 0, sub: -1 }

  /** @param backend  holds no key yet */
  constructor(backend: Backend) {
    this.counts = CountIndex.load(backend, this.arena)
  }

  /** @throws StorageFault  the change is not behind the one before, or is encoded in a form that ours is not */
  add(batch: BackendBatch, change: ImportedChange): void {
    const { revision, isTombstone, fields } = change
    if (compareRevisions(this.last, revision) >= 0) {
      throw new StorageFault(`revision ${revision.main}.${revision.sub} is out of order`, {
        path: 'bucket key',
      })
    }
    this.last = revision
    const { arena, counts } = this
    const previous = findHead(batch, fields.key)
    const { ancestry, rank, trail } = succeed(previous, arena)
    const version = { ...revision, isTombstone }
    const { key, encoded } = putKeyRecord(batch, version, { fields, ancestry, arena })
    if (!equalBytes(encoded, change.encoded)) {
      throw new StorageFault(
        `the record of revision ${revision.main}.${revision.sub} has an unknown form`,
        { path: 'bucket key' },
      )
    }
    const life = isTombstone
      ? { created: 0, version: 0 }
      : { created: fields.createRevision, version: fields.version }
    putHead(batch, { key, head: { ...version, ...life, rank, trail } }, arena)
    counts.noteHead(batch, key, {
      alive: aliveChangeOf({ wasAlive: previous?.isTombstone === false, isAlive: !isTombstone }),
      heads: previous === undefined ? 1 : 0,
    })
    counts.flush(batch)
  }
}

function aliveChangeOf(life: {
  readonly wasAlive: boolean
  readonly isAlive: boolean
}): -1 | 0 | 1 {
  if (life.wasAlive === life.isAlive) return 0
  return life.isAlive ? 1 : -1
}
