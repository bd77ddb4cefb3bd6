/** What a write did, as watchers see it. */

import type { StoredKeyValue } from './stored-key-value.ts'

/** One key changed. Of a delete, `keyValue` holds the key and the revision of the delete as mod revision, nothing else. */
export interface Change {
  readonly kind: 'put' | 'delete'
  readonly keyValue: StoredKeyValue
  /** Position within its revision, from 0. */
  readonly sub: number
}

/** All changes of one revision in the order of their subs; never empty. */
export interface RevisionChanges {
  readonly revision: number
  readonly changes: readonly Change[]
}
