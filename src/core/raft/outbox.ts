/**
 * Which of the two outboxes a message leaves by.
 *
 * A message that vouches for state of this node leaves only when that state is durable: acknowledgements of appends and
 * snapshots, votes, and requests for votes. The last because a candidate that crashes before its new term is durable
 * could campaign in that term again, with a shorter log, and win by votes that were cast for the longer one.
 * Everything else may leave at once; a leader's appends do (section 10.2.1 of the Raft thesis).
 */
import type { NodeId } from '../base/ids.ts'
import type { AppendResponseMessage, Message } from './message.ts'
import type { RaftState } from './raft-state.ts'

/** Queues a message. */
export function send(state: RaftState, message: Message): void {
  switch (message.kind) {
    case 'appendResponse':
      queueAcknowledgement(queueFor(state, message.to), message)
      break
    case 'voteResponse':
    case 'preVoteResponse':
      if (state.bugs.sendsVoteBeforePersist && message.to !== state.id) state.messages.push(message)
      else queueFor(state, message.to).push(message)
      break
    case 'vote':
      state.messagesAfterPersist.push(message)
      break
    default:
      state.messages.push(message)
  }
}

function queueFor(state: RaftState, to: NodeId): Message[] {
  return to === state.id ? state.messagesToSelf : state.messagesAfterPersist
}

/**
 * An acknowledgement says all that an earlier one to the same leader said, so it takes its place when nothing came
 * between: one answer per sync, however many appends arrived or were made.
 */
function queueAcknowledgement(queue: Message[], message: AppendResponseMessage): void {
  const newest = queue[queue.length - 1]
  const isFollowUp =
    newest?.kind === 'appendResponse' &&
    newest.to === message.to &&
    newest.term === message.term &&
    !newest.isRejected &&
    !message.isRejected
  if (!isFollowUp) queue.push(message)
  else if (message.index >= newest.index) queue[queue.length - 1] = message
}
