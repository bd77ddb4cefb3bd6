import type { Checker, ObservedNode, Report } from './checker.ts'
import type { CommittedLog } from './committed-log.ts'

/** I4: all nodes apply the same entry at an index: the committed one. */
export function sameApply(committed: CommittedLog, report: Report): Checker {
  const name = 'I4 same apply'
  const check = (index: number, node: ObservedNode): void => {
    const expected = committed.find(index)
    const term = node.log.termAt(index)
    if (
      expected !== undefined &&
      term !== undefined &&
      index <= node.log.lastIndex &&
      expected.entry.term !== term
    ) {
      report(
        name,
        `${node.name} applies entry ${index}/${term}; committed is ${index}/${expected.entry.term}`,
      )
    }
  }
  return {
    name,
    batch: (batch, node) => {
      for (let index = batch.indexBefore + 1; index <= batch.indexAfter; index++) check(index, node)
    },
  }
}
