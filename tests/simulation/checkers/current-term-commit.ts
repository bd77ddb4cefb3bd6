import type { Checker, Report } from './checker.ts'
import type { CommittedLog } from './committed-log.ts'

/**
 * I8: counting replicas commits only entries of the leader's own term.
 *
 * A commit index that nobody had before comes from counting; a leader that took it over as a follower got it from somebody
 * who told it before. So the first one to tell it must be the leader of the entry's own term.
 */
export function currentTermCommit(committed: CommittedLog, report: Report): Checker {
  const name = 'I8 current-term commit'
  return {
    name,
    sent: (message, node) => {
      if (message.kind !== 'append' && message.kind !== 'heartbeat') return
      const isNew = message.commit > committed.lastIndex
      committed.noteCommit(message.commit, message.term)
      const entry = isNew ? committed.find(message.commit)?.entry : undefined
      if (entry !== undefined && entry.term !== message.term) {
        report(
          name,
          `${node.name}, leader of term ${message.term}, commits entry ${entry.index} of term ${entry.term} by counting`,
        )
      }
    },
  }
}
