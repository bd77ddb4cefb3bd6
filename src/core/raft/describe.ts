/** Messages and state as one line of text, for logs, transcripts and people who debug. Payloads are never shown. */
import { assertNever } from '../base/assert.ts'
import { hexId } from '../base/ids.ts'
import type { NodeId } from '../base/ids.ts'
import type { ConfState, Entry, HardState, Message } from './message.ts'
import type { RaftStatus, Ready } from './ready.ts'

/** For example `2→1 term 3 appendResponse 17`. */
export function describeMessage(message: Message): string {
  const head = `${hexId(message.from)}→${hexId(message.to)} term ${String(message.term)}`
  return `${head} ${message.kind}${details(message)}`
}

/** For example `4:7 normal 12 B`: term 4, index 7. */
export function describeEntry(entry: Entry): string {
  return `${String(entry.term)}:${String(entry.index)} ${entry.kind} ${String(entry.data.length)} B`
}

/** For example `(1 2 3)&&(1 2) learners (4) next (3) auto-leave`. */
export function describeConfState(confState: ConfState): string {
  const { voters, votersOutgoing, learners, learnersNext, autoLeave } = confState
  let text = ids(voters)
  if (votersOutgoing.length > 0) text += `&&${ids(votersOutgoing)}`
  if (learners.length > 0) text += ` learners ${ids(learners)}`
  if (learnersNext.length > 0) text += ` next ${ids(learnersNext)}`
  return autoLeave ? `${text} auto-leave` : text
}

/** For example `term 3 vote 2 commit 17`. */
export function describeHardState(hardState: HardState): string {
  const { term, vote, commit } = hardState
  return `term ${String(term)} vote ${hexId(vote)} commit ${String(commit)}`
}

/** Role, leader, marks of the log, and on a leader the peers. */
export function describeStatus(status: RaftStatus): string {
  const { id, role, leader, commit, applied, lastIndex } = status
  const marks = `applied ${String(applied)} lastIndex ${String(lastIndex)}`
  const state = describeHardState({ term: status.term, vote: status.vote, commit })
  let text = `${hexId(id)} ${role} of ${hexId(leader)} ${state} ${marks}`
  text += ` ${describeConfState(status.confState)}`
  for (const [peer, progress] of status.progress) {
    const paused = progress.isPaused ? ' paused' : ''
    text += ` | ${hexId(peer)} ${progress.state} match ${String(progress.match)}`
    text += ` next ${String(progress.next)}${paused}`
  }
  return text
}

/** What a host is asked to do, one item after the other. */
export function describeReady(ready: Ready): string {
  const parts: string[] = []
  if (ready.hardState !== undefined) parts.push(describeHardState(ready.hardState))
  if (ready.snapshot !== undefined) {
    const { index, term } = ready.snapshot.metadata
    parts.push(`snapshot ${String(term)}:${String(index)}`)
  }
  parts.push(...ready.entries.map((entry) => `persist ${describeEntry(entry)}`))
  parts.push(...ready.committedEntries.map((entry) => `apply ${describeEntry(entry)}`))
  parts.push(...ready.messages.map((message) => `send ${describeMessage(message)}`))
  parts.push(...ready.messagesAfterPersist.map((message) => `then ${describeMessage(message)}`))
  return parts.join('; ')
}

function details(message: Message): string {
  switch (message.kind) {
    case 'append': {
      const { previousTerm, previousIndex, entries, commit } = message
      const at = `${String(previousTerm)}:${String(previousIndex)}`
      return ` after ${at} entries ${String(entries.length)} commit ${String(commit)}`
    }
    case 'appendResponse':
      return message.isRejected
        ? ` ${String(message.index)} rejected, hint ${String(message.hintTerm)}:${String(message.rejectHint)}`
        : ` ${String(message.index)}`
    case 'heartbeat':
      return ` commit ${String(message.commit)}`
    case 'vote':
    case 'preVote': {
      const transfer = message.isTransfer ? ' transfer' : ''
      return ` last ${String(message.lastTerm)}:${String(message.lastIndex)}${transfer}`
    }
    case 'voteResponse':
    case 'preVoteResponse':
      return message.isRejected ? ' rejected' : ' granted'
    case 'snapshot': {
      const { index, term, confState } = message.snapshot.metadata
      return ` ${String(term)}:${String(index)} ${describeConfState(confState)}`
    }
    case 'propose':
      return ` entries ${String(message.entries.length)}`
    case 'readIndexResponse':
      return ` ${String(message.index)}`
    case 'snapshotStatus':
      return message.isFailed ? ' failed' : ' delivered'
    case 'heartbeatResponse':
    case 'readIndex':
    case 'transferLeader':
    case 'timeoutNow':
    case 'unreachable':
    case 'campaign':
    case 'forgetLeader':
      return ''
    default:
      return assertNever(message, 'message')
  }
}

function ids(members: readonly NodeId[]): string {
  return `(${members.map(hexId).join(' ')})`
}
