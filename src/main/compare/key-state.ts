/** When a key is the same on both sides, and what is told of it when it is not. */

import { equalBytes } from '../../core/base/bytes.ts'
import type { CompareBasis } from '../../preload/contract/compare.ts'
import type { ComparedPair } from './compare-source.ts'
import type { SideState } from './difference-rows.ts'

export interface SamenessOptions {
  readonly basis: CompareBasis
  readonly ignoresLeases: boolean
}

/** Whether a key that both sides have is the same. */
export function isSameState(
  left: ComparedPair,
  right: ComparedPair,
  { basis, ignoresLeases }: SamenessOptions,
): boolean {
  switch (basis) {
    case 'revision':
      return left.modRevision === right.modRevision
    case 'presence':
      return true
    case 'value':
      return (
        equalBytes(left.value, right.value) &&
        (ignoresLeases || (left.lease !== 0n) === (right.lease !== 0n))
      )
  }
}

/** What is told of one side. */
export function stateOfPair(pair: ComparedPair, basis: CompareBasis): SideState {
  return {
    modRevision: pair.modRevision,
    sizeBytes: basis === 'value' ? pair.value.length : -1,
    hasLease: pair.lease !== 0n,
  }
}
