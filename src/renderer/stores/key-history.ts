/** The past of one key, in generations. Pure functions over what the history stream delivered. */

import type { HistoryRevision } from '../../preload/contract/history.ts'
import type { Operation } from '../components/marks/operation.ts'

/** One life of a key: from its creation to its deletion, or until now. */
export interface Generation {
  /** 1 is the oldest one that is readable. */
  readonly number: number
  /** Newest first; without the deletion. */
  readonly puts: readonly Extract<HistoryRevision, { kind: 'put' }>[]
  /** Revision of the deletion; absent while the key lives. */
  readonly deletedAt?: number
  /** Its creation was read, so nothing of it is missing at the old end. */
  readonly hasBeginning: boolean
}

/** What a revision did to the key. */
export function operationOf(revision: HistoryRevision): Operation {
  if (revision.kind === 'delete') return 'delete'
  return revision.version === 1 ? 'create' : 'put'
}

/**
 * Splits a history into generations, newest first.
 *
 * A put of version 1 opens a generation and a delete closes it, so the split needs no other source.
 *
 * @param revisions  newest first, without holes
 */
export function generationsOf(revisions: readonly HistoryRevision[]): readonly Generation[] {
  const found: {
    puts: Extract<HistoryRevision, { kind: 'put' }>[]
    deletedAt?: number
    hasBeginning: boolean
  }[] = []
  let isOpen = false
  for (const revision of revisions) {
    if (revision.kind === 'delete') {
      found.push({ puts: [], deletedAt: revision.revision, hasBeginning: false })
      isOpen = true
      continue
    }
    if (!isOpen) found.push({ puts: [], hasBeginning: false })
    const last = found.at(-1)
    if (last === undefined) continue
    last.puts.push(revision)
    last.hasBeginning = revision.version === 1
    isOpen = revision.version !== 1
  }
  return found.map((generation, index) => ({ ...generation, number: found.length - index }))
}

/** Revisions that can be read: all but the deletions. */
export function countReadable(revisions: readonly HistoryRevision[]): number {
  return revisions.filter((revision) => revision.kind === 'put').length
}
