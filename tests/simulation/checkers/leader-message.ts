import type { Message, Term } from '../../../src/core/raft/message.ts'

/** The term a message proves its sender to lead; undefined for what anybody may send. */
export function leaderTermOf(message: Message): Term | undefined {
  switch (message.kind) {
    case 'append':
    case 'heartbeat':
    case 'snapshot':
    case 'timeoutNow':
      return message.term
    default:
      return undefined
  }
}
