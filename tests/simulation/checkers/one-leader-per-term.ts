import type { NodeId } from '../../../src/core/base/ids.ts'
import { leaderTermOf } from './leader-message.ts'
import type { Checker, Report } from './checker.ts'

/** I1: never two nodes leading in one term. Who sends what only leaders send, leads. */
export function oneLeaderPerTerm(report: Report): Checker {
  const name = 'I1 one leader per term'
  const leaders = new Map<number, NodeId>()
  return {
    name,
    sent: (message, node) => {
      const term = leaderTermOf(message)
      if (term === undefined) return
      const leader = leaders.get(term)
      if (leader === undefined) leaders.set(term, node.id)
      else if (leader !== node.id) {
        report(
          name,
          `${node.name} sends ${message.kind} in term ${term}, which ${leader.toString(16)} leads`,
        )
      }
    },
  }
}
