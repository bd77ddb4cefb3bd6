import type { NodeId } from '../../../src/core/base/ids.ts'
import type { Message } from '../../../src/core/raft/message.ts'
import type { Checker, Report } from './checker.ts'

interface Spoken {
  /** Highest term this node spoke in, over all lives. */
  term: number
  /** Whom it gave its vote in `voteTerm`, over all lives. */
  voteTerm: number
  vote: NodeId
  /** Highest commit index it told as a leader in this life, and which life that is. */
  commit: number
  incarnation: number
  durableTerm: number
  durableVote: bigint
}

/** I5: term, and the vote within a term, never go back, across restarts; commit never within one life. */
export function monotonicHardState(report: Report): Checker {
  const name = 'I5 monotonic hard state'
  const spoken = new Map<NodeId, Spoken>()
  const of = (id: NodeId): Spoken => {
    let state = spoken.get(id)
    if (state === undefined) {
      state = {
        term: 0,
        voteTerm: 0,
        vote: id,
        commit: 0,
        incarnation: 0,
        durableTerm: 0,
        durableVote: 0n,
      }
      spoken.set(id, state)
    }
    return state
  }
  return {
    name,
    sent: (message, node) => {
      const state = of(node.id)
      if (isInOwnTerm(message)) {
        if (message.term < state.term)
          report(name, `${node.name} speaks in term ${message.term} after term ${state.term}`)
        state.term = Math.max(state.term, message.term)
      }
      if (message.kind === 'voteResponse' && !message.isRejected) {
        if (state.voteTerm === message.term && state.vote !== message.to) {
          report(name, `${node.name} votes for two in term ${message.term}`)
        }
        state.voteTerm = message.term
        state.vote = message.to
      }
      if (message.kind === 'append') {
        if (state.incarnation === node.incarnation && message.commit < state.commit) {
          report(name, `${node.name} tells commit ${message.commit} after ${state.commit}`)
        }
        state.incarnation = node.incarnation
        state.commit = message.commit
      }
    },
    hardState: (hardState, node) => {
      const state = of(node.id)
      if (hardState.term < state.durableTerm) {
        report(name, `${node.name} stores term ${hardState.term} after term ${state.durableTerm}`)
      }
      const hasChangedVote =
        hardState.term === state.durableTerm && hardState.vote !== state.durableVote
      if (hasChangedVote && state.durableVote !== 0n)
        report(name, `${node.name} stores another vote in term ${hardState.term}`)
      state.durableTerm = hardState.term
      state.durableVote = hardState.vote
    },
    started: (node) => {
      const { term } = of(node.id)
      if (node.log.hardState.term < term) {
        report(
          name,
          `${node.name} starts in term ${node.log.hardState.term} though it spoke in term ${term}`,
        )
      }
    },
    reread: (node) => {
      const state = of(node.id)
      state.durableTerm = 0
      state.durableVote = 0n
    },
  }
}

/** Messages that vouch for a durable term. An answer to a heartbeat does not: it may leave before the term is stored. */
function isInOwnTerm(message: Message): boolean {
  switch (message.kind) {
    case 'append':
    case 'heartbeat':
    case 'appendResponse':
      return true
    case 'voteResponse':
      return !message.isRejected
    default:
      return false
  }
}
