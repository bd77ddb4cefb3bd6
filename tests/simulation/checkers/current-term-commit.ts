import type { Checker, Report } from './checker.ts'
import type { CommittedLog } from './committed-log.ts'

/**
 * I8: counting replicas commits only entries of the leader's own term.
 *
 * A commit index that nobody had before comes from counting; a leader that took it over as a follower got it from somebody
 * who told it before. So the first one to tell it in an append must be the leader of the entry's own term. A heartbeat tells
 * less than the leader knows (its commit is clipped to what the peer has), so it proves something about later terms only.
 */
export function currentTermCommit(committed: CommittedLog, report: Report): Checker {
  const name = 'I8 current-term commit'
  /** By term: what its leader told clipped, or somebody applied then. */
  const knownInTerm = new Map<number, number>()
  let toldInAppends = 0
  const note = (term: number, index: number): void => {
    knownInTerm.set(term, Math.max(index, knownInTerm.get(term) ?? 0))
  }
  const wasToldBefore = (index: number, term: number): boolean =>
    index <= toldInAppends ||
    [...knownInTerm].some(([toldTerm, toldIndex]) => toldTerm < term && index <= toldIndex)
  return {
    name,
    sent: (message, node) => {
      if (message.kind !== 'append' && message.kind !== 'heartbeat') return
      const { commit, term } = message
      committed.noteCommit(commit, term)
      if (message.kind === 'heartbeat') {
        note(term, commit)
        return
      }
      if (commit <= committed.bootstrapCount || wasToldBefore(commit, term)) return
      toldInAppends = commit
      const entry = committed.find(commit)?.entry
      if (entry !== undefined && entry.term !== term) {
        report(
          name,
          `${node.name}, leader of term ${term}, commits entry ${entry.index} of term ${entry.term} by counting`,
        )
      }
    },
    batch: (batch, node) => {
      // A leader that applied what it never told anybody finds it applied when it leads again.
      note(node.log.hardState.term, batch.indexAfter)
    },
  }
}
