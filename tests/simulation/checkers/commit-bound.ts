import type { Checker, ObservedNode, Report } from './checker.ts'
import type { CommittedLog } from './committed-log.ts'

/** I12: applied ≤ commit ≤ last index, always and right after recovery. */
export function commitBound(committed: CommittedLog, report: Report): Checker {
  const name = 'I12 commit bound'
  const checkLog = (node: ObservedNode): void => {
    const { hardState, lastIndex } = node.log
    if (hardState.commit > lastIndex) {
      report(
        name,
        `${node.name} has commit ${hardState.commit} on disk, and its log ends at ${lastIndex}`,
      )
    }
  }
  return {
    name,
    synced: checkLog,
    started: checkLog,
    batch: (batch, node) => {
      if (batch.indexAfter <= batch.indexBefore) return
      // In a cluster of one nobody is told; applying is the first that is seen of a commit.
      committed.noteCommit(batch.indexAfter, node.log.hardState.term)
      if (batch.indexAfter > committed.lastIndex) {
        report(
          name,
          `${node.name} applies index ${batch.indexAfter}; committed is ${committed.lastIndex}`,
        )
      }
    },
  }
}
