import type { NodeId } from '../../../src/core/base/ids.ts'
import { readUint64 } from '../../../src/core/backend/buckets.ts'
import type { Checker, ObservedBatch, ObservedNode, Report } from './checker.ts'

/** I9 and I13 share the revision that each applied index ends with. */
export interface AppliedOnce extends Checker {
  /** Revision after each applied index that ended a batch, the same on every node. */
  readonly revisionAt: ReadonlyMap<number, number>
  /** A database was opened: what it holds is where the node goes on. */
  opened(state: { readonly index: number; readonly revision: number }, node: ObservedNode): void
}

interface Position {
  index: number
  revision: number
}

/**
 * I9: every index is applied exactly once to the durable state: an index means the same revision on every node and in
 * every life. I13: revisions rise by one, their sub-revisions count from 0.
 */
export function appliedOnce(report: Report): AppliedOnce {
  const nameOnce = 'I9 applied once'
  const nameLaw = 'I13 revision law'
  const revisionAt = new Map<number, number>()
  const positions = new Map<NodeId, Position>()
  const note = (state: Position, node: ObservedNode): void => {
    const known = revisionAt.get(state.index)
    if (known === undefined) revisionAt.set(state.index, state.revision)
    else if (known !== state.revision) {
      report(
        nameOnce,
        `${node.name} has revision ${state.revision} at index ${state.index}; it was ${known} before or elsewhere`,
      )
    }
  }
  return {
    name: nameOnce,
    revisionAt,
    opened: ({ index, revision }, node) => {
      positions.set(node.id, { index, revision })
      if (index > 0) note({ index, revision }, node)
    },
    batch: (batch, node) => {
      const position = positions.get(node.id) ?? { index: 0, revision: 1 }
      if (batch.indexAfter < position.index) {
        report(
          nameOnce,
          `${node.name} goes back from index ${position.index} to ${batch.indexAfter}`,
        )
      }
      const revision = revisionAfter(batch, position.revision, (text) => {
        report(nameLaw, `${node.name}: ${text}`)
      })
      position.index = batch.indexAfter
      position.revision = revision
      positions.set(node.id, position)
      if (batch.indexAfter > batch.indexBefore) note(position, node)
    },
  }
}

function revisionAfter(
  batch: ObservedBatch,
  before: number,
  complain: (text: string) => void,
): number {
  let main = before
  let sub = -1
  for (const { bucket, key, value } of batch.changes) {
    if (bucket !== 'key' || value === undefined) continue
    const changeMain = readUint64(key, 0)
    const changeSub = readUint64(key, 9)
    if (changeMain === main && changeSub === sub + 1) sub = changeSub
    else if (changeMain === main + 1 && changeSub === 0) {
      main = changeMain
      sub = 0
    } else {
      complain(`revision ${changeMain}.${changeSub} follows ${main}.${sub}`)
      return changeMain
    }
  }
  return main
}
