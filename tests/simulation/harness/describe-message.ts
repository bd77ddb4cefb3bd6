import type { Message } from '../../../src/core/raft/message.ts'

/** A Raft message as one short line for the report of a failure. */
export function describeMessage(message: Message): string {
  const { kind, from, to, term } = message
  const head = `${kind} ${shortId(from)}→${shortId(to)} term ${term}`
  switch (message.kind) {
    case 'append': {
      const { previousIndex, previousTerm, entries, commit } = message
      const range =
        entries.length === 0
          ? 'no entries'
          : `entries ${previousIndex + 1}–${previousIndex + entries.length}`
      return `${head} after ${previousIndex}/${previousTerm} ${range} commit ${commit}`
    }
    case 'appendResponse':
      return message.isRejected
        ? `${head} rejected ${message.index} hint ${message.rejectHint}/${message.hintTerm}`
        : `${head} index ${message.index}`
    case 'heartbeat':
      return `${head} commit ${message.commit}`
    case 'vote':
    case 'preVote':
      return `${head} last ${message.lastIndex}/${message.lastTerm}`
    case 'voteResponse':
    case 'preVoteResponse':
      return `${head} ${message.isRejected ? 'refused' : 'granted'}`
    case 'snapshot':
      return `${head} at ${message.snapshot.metadata.index}/${message.snapshot.metadata.term}`
    case 'readIndexResponse':
      return `${head} index ${message.index}`
    default:
      return head
  }
}

/** The last four hexadecimal digits of an id. */
export function shortId(id: bigint): string {
  return id.toString(16).slice(-4)
}
