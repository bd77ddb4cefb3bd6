/**
 * The difference of two revisions of one range by reading every change between them.
 *
 * The first change of a key tells what it was at the older revision, the last one what it is at the newer one. What lies
 * between is of no interest, so that one record a key is held, whatever happened to it.
 */

import { bytesOfLatin1, copyBytes, emptyBytes, latin1Of } from '../../core/base/bytes.ts'
import type { CompareBasis } from '../../preload/contract/compare.ts'
import type { ComparedPair, CompareSource, ReplayedChange } from './compare-source.ts'
import type { DifferenceRows, SideState } from './difference-rows.ts'
import { isSameState } from './key-state.ts'

/** Values that are kept to be compared may take this much; beyond it both sides are paged. */
const keptSizeBytesMax = 67_108_864

export interface ReplayDifferenceOptions {
  readonly source: CompareSource
  readonly leftRevision: number
  readonly rightRevision: number
  readonly leftCount: number
  readonly rightCount: number
  readonly basis: CompareBasis
  readonly ignoresLeases: boolean
  /** More changes than this take longer than reading both sides. */
  readonly changesMax: number
  /** Called with the revisions looked at. */
  readonly onProgress: (doneCount: number) => void
}

/**
 * Adds every difference between the two revisions, or none.
 *
 * @returns  false when the changes could not all be had, or were too many: both sides have to be paged
 */
export async function readReplayDifference(
  options: ReplayDifferenceOptions,
  rows: DifferenceRows,
): Promise<boolean> {
  const olderRevision = Math.min(options.leftRevision, options.rightRevision)
  const newerRevision = Math.max(options.leftRevision, options.rightRevision)
  const keys = new ReplayedKeys({ keepsValues: options.basis === 'value' })
  let changeCount = 0
  if (olderRevision < newerRevision) {
    const isWhole = await options.source.replay(
      { fromRevision: olderRevision + 1, toRevision: newerRevision },
      (changes, revision) => {
        changeCount += changes.length
        for (const change of changes) keys.take(change)
        options.onProgress(revision - olderRevision)
        return changeCount <= options.changesMax && keys.keptSizeBytes <= keptSizeBytesMax
      },
    )
    if (!isWhole) return false
  }
  return addRows(keys.sorted(), options, rows)
}

/** Adds the rows unless the counts of the two sides say that changes are missing. */
function addRows(
  keys: readonly ReplayedKey[],
  options: ReplayDifferenceOptions,
  rows: DifferenceRows,
): boolean {
  const isBackwards = options.leftRevision > options.rightRevision
  const found = keys.flatMap(({ name, older, newer }) => {
    const [left, right] = isBackwards ? [newer, older] : [older, newer]
    if (left === undefined && right === undefined) return []
    if (left !== undefined && right !== undefined && isSameState(left, right, options)) return []
    return [{ name, left, right }]
  })
  const addedCount = found.filter(({ left }) => left === undefined).length
  const removedCount = found.filter(({ right }) => right === undefined).length
  if (options.leftCount - removedCount + addedCount !== options.rightCount) return false
  for (const { name, left, right } of found) {
    rows.add(bytesOfLatin1(name), sideStateOf(left), sideStateOf(right))
  }
  rows.flush()
  rows.addSame(options.leftCount - (found.length - addedCount))
  return true
}

/** What is kept of a key at one of the two revisions; its value only where values are compared. */
type KeptState = ComparedPair & { readonly sizeBytes: number }

interface ReplayedKey {
  /** The key, a byte a character. */
  readonly name: string
  readonly older: KeptState | undefined
  readonly newer: KeptState | undefined
}

class ReplayedKeys {
  keptSizeBytes = 0
  private readonly keepsValues: boolean
  private readonly keys = new Map<string, ReplayedKey>()

  constructor(options: { readonly keepsValues: boolean }) {
    this.keepsValues = options.keepsValues
  }

  take(change: ReplayedChange): void {
    const name = latin1Of(change.pair.key)
    const known = this.keys.get(name)
    const older = known === undefined ? this.keep(change.previous) : known.older
    if (known?.newer !== undefined) this.keptSizeBytes -= known.newer.value.length
    const newer = change.kind === 'put' ? this.keep(change.pair) : undefined
    this.keys.set(name, { name, older, newer })
  }

  /** In the order of the keys' bytes. */
  sorted(): readonly ReplayedKey[] {
    return [...this.keys.values()].sort((left, right) => (left.name < right.name ? -1 : 1))
  }

  private keep(pair: ComparedPair | undefined): KeptState | undefined {
    if (pair === undefined) return undefined
    const value = this.keepsValues ? copyBytes(pair.value) : emptyBytes
    this.keptSizeBytes += value.length
    const { modRevision, lease } = pair
    return { key: emptyBytes, value, modRevision, lease, sizeBytes: pair.value.length }
  }
}

function sideStateOf(state: KeptState | undefined): SideState | undefined {
  if (state === undefined) return undefined
  const { modRevision, sizeBytes, lease } = state
  return { modRevision, sizeBytes, hasLease: lease !== 0n }
}
