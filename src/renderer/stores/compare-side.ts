/** One side of a comparison as the user sets it, and how keys of both sides stand for each other. */

import { hasOtherNames, rightKeyOf } from '../../preload/contract/compare.ts'
import { rangeOfSubject } from './key-subject.ts'

export interface CompareSideChoice {
  readonly connectionId: string
  /** A prefix or range as the text that tabs carry; empty: every key. */
  readonly subject: string
  /** 0: the head. */
  readonly revision: number
}

export type SideName = 'left' | 'right'

type Sides = Readonly<Record<SideName, CompareSideChoice>>

/** Whether the two sides name their keys differently. */
export function isMapped({ left, right }: Sides): boolean {
  return hasOtherNames(rangeOfSubject(left.subject), rangeOfSubject(right.subject))
}

/** The name on the right of a key that is named as on the left. */
export function rightKeyIn({ left, right }: Sides, leftKey: Uint8Array): Uint8Array {
  return rightKeyOf(
    { left: rangeOfSubject(left.subject), right: rangeOfSubject(right.subject) },
    leftKey,
  )
}
