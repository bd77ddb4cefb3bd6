/** What a read looks at, and which revision of it. */

import type { BackendReader } from '../backend/backend.ts'
import { StoreError } from '../errors/store-error.ts'
import type { CountIndex } from './count-index.ts'

/** A consistent state of the records and of the index. */
export interface ReadContext {
  readonly reader: BackendReader
  /** Undefined where the reader does not see what the index was told of; counting walks the range then. */
  readonly counts: CountIndex | undefined
  /** The newest revision the reader sees. */
  readonly currentRevision: number
  readonly compactedRevision: number
}

/**
 * Which revision a read asks for.
 *
 * @throws StoreError `futureRevision` or `compacted`; the compacted revision itself can still be read
 */
export function resolveRevision(context: ReadContext, asked: number): number {
  const { currentRevision, compactedRevision } = context
  if (asked > currentRevision) {
    throw new StoreError('futureRevision', { requested: asked, current: currentRevision })
  }
  const revision = asked <= 0 ? currentRevision : asked
  if (revision < compactedRevision) {
    throw new StoreError('compacted', { requested: revision, compacted: compactedRevision })
  }
  return revision
}
