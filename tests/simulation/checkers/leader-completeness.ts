import type { Checker, Report } from './checker.ts'
import type { CommittedLog } from './committed-log.ts'
import { leaderTermOf } from './leader-message.ts'

/**
 * I3: what was committed in a term is in the log of every later leader.
 *
 * A leader is elected with a vote for itself that is durable, and what it had before was durable then; so its durable log
 * at its first message of a term must hold everything committed so far.
 */
export function leaderCompleteness(committed: CommittedLog, report: Report): Checker {
  const name = 'I3 leader completeness'
  const seenTerms = new Set<number>()
  return {
    name,
    sent: (message, node) => {
      const term = leaderTermOf(message)
      if (term === undefined || seenTerms.has(term)) return
      seenTerms.add(term)
      const last = committed.find(committed.lastIndex)
      if (last === undefined || last.commitTerm >= term) return
      if (!node.log.holds(last.entry.index, last.entry.term)) {
        report(
          name,
          `${node.name} leads term ${term} without entry ${last.entry.index}/${last.entry.term}, committed in term ${last.commitTerm}`,
        )
      }
    },
  }
}
