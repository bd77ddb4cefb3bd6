/** What a failed comparison tells beside its reason. */

import { CallError } from '../api/bridge.ts'
import type { SideName } from './compare-side.ts'

interface FailedSide {
  /** Undefined when the failure belongs to neither side. */
  readonly side: SideName | undefined
  /** The oldest revision that the side still has; 0 when that is not what failed. */
  readonly oldestRevision: number
  /** The side has not reached the revision yet. */
  readonly isFuture: boolean
}

/** Which side could not be read, and what could be read instead. */
export function failedSideOf(error: unknown): FailedSide {
  const failure = error instanceof CallError ? error.failure : undefined
  const { side, oldestRevision } = failure?.details ?? {}
  return {
    side: side === 'left' || side === 'right' ? side : undefined,
    oldestRevision: typeof oldestRevision === 'number' ? oldestRevision : 0,
    isFuture: failure?.code === 'futureRevision',
  }
}
