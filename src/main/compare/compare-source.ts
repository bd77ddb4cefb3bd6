/** What a comparison needs of each of its sides. */

import type { KeyValue } from '../../preload/contract/kv.ts'

/** The part of a stored pair that comparisons look at. The bytes may be views into something larger. */
export type ComparedPair = Pick<KeyValue, 'key' | 'value' | 'modRevision' | 'lease'>

export interface PageQuery {
  /** The page begins behind this key. */
  readonly after?: Uint8Array
  readonly limit: number
  readonly revision: number
  readonly isKeysOnly: boolean
}

/** One change between two revisions. */
export interface ReplayedChange {
  readonly kind: 'put' | 'delete'
  /** Of a delete only the key and the mod revision tell something. */
  readonly pair: ComparedPair
  /** What was there before; absent when there was nothing. */
  readonly previous?: ComparedPair
}

export interface ReplayQuery {
  /** First and last revision whose changes are wanted. */
  readonly fromRevision: number
  readonly toRevision: number
}

/** One range of keys of one cluster. Its calls throw as the cluster refuses them, and when the comparison is ended. */
export interface CompareSource {
  /** How many keys there are as of a revision (0: the newest), and the newest revision. */
  count(revision: number): Promise<{ readonly count: number; readonly headRevision: number }>
  /** Pairs in the order of their keys. A page whose answer is too large for a message says so instead. */
  page(
    query: PageQuery,
  ): Promise<
    | { readonly kind: 'page'; readonly pairs: readonly ComparedPair[]; readonly hasMore: boolean }
    | { readonly kind: 'tooLarge' }
  >
  /**
   * Delivers every change of the range between two revisions, in order.
   *
   * @param onChanges  called with the changes and the revision up to which they are complete; false ends the replay
   * @returns          whether everything up to the last revision was delivered
   */
  replay(
    query: ReplayQuery,
    onChanges: (changes: readonly ReplayedChange[], revision: number) => boolean,
  ): Promise<boolean>
}
