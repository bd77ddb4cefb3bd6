/**
 * The difference between two sides: a range of keys of one cluster as of one revision, and another one. The two may be
 * two revisions of the same prefix, the same prefix in two clusters, or two prefixes of different names.
 *
 * Keys of two prefixes stand for each other when they are the same behind their prefix; all other ranges are compared
 * key by key. Rows carry the key as the left side names it: `rightKeyOf` gives its name on the right.
 */

import { z } from 'zod'
import { compareRowsMax } from './limits.ts'
import { keyRangeSchema, type KeyRange } from './kv.ts'
import { connectionIdSchema, revisionSchema } from './primitives.ts'

export const compareSideSchema = z
  .strictObject({
    connectionId: connectionIdSchema,
    range: keyRangeSchema,
    /** As of this revision; 0: the newest at the start, which then stays. */
    revision: revisionSchema,
  })
  .readonly()
export type CompareSide = z.infer<typeof compareSideSchema>

export const compareRequestSchema = z
  .strictObject({
    left: compareSideSchema,
    right: compareSideSchema,
    /**
     * Whether a key that exists on both sides is the same. `revision`: its mod revision is, which reads no values; where
     * that says nothing (two clusters, two names) values are compared instead. `value`: its bytes are, and it hangs on a
     * lease on both sides or on neither.
     */
    by: z.enum(['revision', 'value']),
    /** Only whether keys exist matters. */
    ignoresValues: z.boolean(),
    /** A lease makes no difference when values are compared. */
    ignoresLeases: z.boolean(),
    /** Most rows that are delivered; the counts stay exact beyond it. */
    rowsMax: z.number().int().min(1).max(compareRowsMax),
  })
  .readonly()
export type CompareRequest = z.infer<typeof compareRequestSchema>

/** In the order of their numbers in `DifferenceColumns.kinds`. */
export const differenceKinds = ['added', 'removed', 'changed'] as const
/** `added`: only on the right. `removed`: only on the left. */
export type DifferenceKind = (typeof differenceKinds)[number]

/** Rows in the order of their keys as columns; every array but the offsets has `rowCount` elements, those one more. */
export interface DifferenceColumns {
  readonly rowCount: number
  /** All keys one after the other, named as on the left. */
  readonly keyBytes: Uint8Array
  readonly keyOffsets: Uint32Array
  /** Places in `differenceKinds`. */
  readonly kinds: Uint8Array
  /** 0 where the key is not on that side. */
  readonly leftModRevisions: Float64Array
  readonly rightModRevisions: Float64Array
  /** Sizes of the values in bytes; -1 where the key is not on that side, or where no values were read. */
  readonly leftSizesBytes: Int32Array
  readonly rightSizesBytes: Int32Array
  /** `leftLeaseBit`, `rightLeaseBit`: the key hangs on a lease on that side. */
  readonly leases: Uint8Array
}

export const leftLeaseBit = 1
export const rightLeaseBit = 2

/** Keys by how they differ. */
export interface DifferenceCounts {
  readonly added: number
  readonly removed: number
  readonly changed: number
  readonly same: number
}

/** One side as it is read. */
export interface ComparedSide {
  /** What is read; never 0. */
  readonly revision: number
  /** The newest revision of the cluster at the start. */
  readonly headRevision: number
  readonly keyCount: number
}

/**
 * How the difference is found. `paging`: both sides are read page by page. `replay`: every change between the two
 * revisions is read.
 */
export type CompareMethod = 'paging' | 'replay'

/** What made keys the same: equal mod revisions, equal values, or that both sides have the key. */
export type CompareBasis = 'revision' | 'value' | 'presence'

/** What a comparison delivers. `finished` comes once, last, before the stream ends without an error. */
export type CompareItem =
  /** Comes a second time, with the other method, when a replay turned out longer than paging. */
  | {
      readonly kind: 'started'
      readonly left: ComparedSide
      readonly right: ComparedSide
      readonly method: CompareMethod
      readonly basis: CompareBasis
    }
  /** Keys above all that were delivered before. */
  | { readonly kind: 'rows'; readonly columns: DifferenceColumns }
  | {
      readonly kind: 'progress'
      readonly counts: DifferenceCounts
      /** Keys or revisions that were looked at, and all of them. */
      readonly doneCount: number
      readonly totalCount: number
    }
  | {
      readonly kind: 'finished'
      readonly counts: DifferenceCounts
      /** More rows differ than were delivered. */
      readonly isCut: boolean
      /** Keys or revisions that were looked at. */
      readonly doneCount: number
      readonly durationMs: number
    }

/** The name of a key on the right, given its name on the left. */
export function rightKeyOf(
  sides: { readonly left: KeyRange; readonly right: KeyRange },
  leftKey: Uint8Array,
): Uint8Array {
  const { left, right } = sides
  const isMapped = hasOtherNames(left, right)
  if (!isMapped || left.kind !== 'prefix' || right.kind !== 'prefix') return leftKey
  const key = new Uint8Array(right.prefix.length + leftKey.length - left.prefix.length)
  key.set(right.prefix)
  key.set(leftKey.subarray(left.prefix.length), right.prefix.length)
  return key
}

/** Whether keys of the two ranges stand for each other under different names. */
export function hasOtherNames(left: KeyRange, right: KeyRange): boolean {
  if (left.kind !== 'prefix' || right.kind !== 'prefix') return false
  if (left.prefix.length !== right.prefix.length) return true
  return left.prefix.some((byte, position) => byte !== right.prefix[position])
}
