/** The plan that makes one side of a comparison like the other. */

import type { KeyRevisionColumns, PlanSource } from '../../preload/contract/plan.ts'
import type { SideName } from './compare-side.ts'
import type { Comparison } from './comparison.ts'
import { rangeOfSubject } from './key-subject.ts'

/** What is to be made like the other side: some rows, or (undefined) all of the range. */
interface ApplyChoice {
  readonly target: SideName
  readonly rows: readonly number[] | undefined
}

/** The source of the plan; undefined before the sides are pinned. Both sides name their keys alike. */
export function applySource(
  comparison: Comparison,
  { target, rows }: ApplyChoice,
): PlanSource | undefined {
  const run = comparison.run.value
  if (run?.pinned === undefined) return undefined
  const other = target === 'left' ? 'right' : 'left'
  return {
    kind: 'apply',
    from: {
      connectionId: run.sides[other].connectionId,
      revision: run.pinned[other].revision,
    },
    range: rangeOfSubject(run.sides[target].subject),
    ...(rows === undefined ? {} : { keys: keysOf(comparison, target, rows) }),
    deletesExtra: true,
  }
}

function keysOf(
  comparison: Comparison,
  target: SideName,
  rows: readonly number[],
): KeyRevisionColumns {
  const found = rows.flatMap((row) => comparison.findRow(row) ?? [])
  const keyOffsets = new Uint32Array(found.length + 1)
  let sizeBytes = 0
  found.forEach(({ key }, position) => {
    sizeBytes += key.length
    keyOffsets[position + 1] = sizeBytes
  })
  const keyBytes = new Uint8Array(sizeBytes)
  found.forEach(({ key }, position) => {
    keyBytes.set(key, keyOffsets[position])
  })
  const revisions = Float64Array.from(found, (row) =>
    target === 'left' ? row.leftModRevision : row.rightModRevision,
  )
  return { rowCount: found.length, keyBytes, keyOffsets, revisions }
}
