/** Whether a revision that a list is read as of can still be read. */

import { kvApi } from '../api/kv-api.ts'
import { isCompacted } from './failure-text.ts'
import type { KeyBrowser } from './key-browser.ts'
import { boundsOf } from './key-order.ts'

/** Keys have at least one byte; a question about this one is allowed where all keys are. */
const firstKey = Uint8Array.of(0)

/** Asks about one key, which reads nothing; that its revision was compacted becomes the list's error. Never rejects. */
export async function checkRevision(browser: KeyBrowser): Promise<void> {
  const { connectionId, range, atRevision, error } = browser
  const revision = atRevision.value
  if (revision === 0 || error.value !== undefined) return
  const { from } = boundsOf(range)
  const key = from.length === 0 ? firstKey : from
  try {
    await kvApi.count({ connectionId, range: { kind: 'key', key }, revision })
  } catch (failure) {
    // Anything else is told by whoever reads the rows.
    if (isCompacted(failure) && atRevision.value === revision) error.value = failure
  }
}
