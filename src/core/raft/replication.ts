/** What to send to a peer: an append, a probe, a snapshot, or nothing for now. */
import { assert } from '../base/assert.ts'
import { emptyBytes } from '../base/bytes.ts'
import { hexId } from '../base/ids.ts'
import type { NodeId } from '../base/ids.ts'
import { payloadSizeBytes } from './entry-size.ts'
import type { Entry } from './message.ts'
import { send } from './outbox.ts'
import type { Progress } from './progress.ts'
import type { Proposal, RaftState } from './raft-state.ts'

/** 'always': also without entries, for the commit index or as a probe. */
type SendWhen = 'always' | 'withEntries'

/**
 * Appends to the leader's own log, in its term. The acknowledgement to itself comes back when the entries are durable.
 *
 * @returns false, with nothing changed, when too much is uncommitted already. Entries without payload are never refused:
 *          a leader needs them to begin its term and to leave a joint configuration.
 */
export function appendProposals(state: RaftState, proposals: readonly Proposal[]): boolean {
  const sizeBytes = payloadSizeBytes(proposals)
  const limitBytes = state.config.uncommittedSizeBytesMax
  const uncommittedBytes = state.uncommittedSizeBytes
  if (uncommittedBytes > 0 && sizeBytes > 0 && uncommittedBytes + sizeBytes > limitBytes) {
    return false
  }
  state.uncommittedSizeBytes += sizeBytes
  let index = state.log.lastIndex()
  for (const { kind, data } of proposals) {
    index++
    state.log.push({ index, term: state.term, kind, data })
  }
  acknowledge(state, state.id)
  state.isBroadcastDue = true
  return true
}

/** Tells a leader that this node holds (once durable) everything up to its last index. */
function acknowledge(state: RaftState, to: NodeId): void {
  const index = state.log.lastIndex()
  const { id: from, term } = state
  send(state, {
    kind: 'appendResponse',
    from,
    to,
    term,
    index,
    isRejected: false,
    rejectHint: 0,
    hintTerm: 0,
  })
}

/** What was applied no longer counts as uncommitted. Older terms' entries were never counted, hence the floor. */
export function reduceUncommitted(state: RaftState, entries: readonly Entry[]): void {
  if (state.uncommittedSizeBytes === 0) return
  const rest = state.uncommittedSizeBytes - payloadSizeBytes(entries)
  state.uncommittedSizeBytes = Math.max(0, rest)
}

/** Sends an append even without entries, unless the peer is paused. */
export function sendAppend(state: RaftState, to: NodeId, peer: Progress): boolean {
  return maybeSendAppend(state, to, peer, 'always')
}

/** Sends as many appends with entries as the peer's state and window admit. */
export function sendPendingEntries(state: RaftState, to: NodeId, peer: Progress): void {
  while (maybeSendAppend(state, to, peer, 'withEntries')) continue
}

/** Sends to all peers what they have not been sent; called once per Ready, so that proposals travel together. */
export function flushBroadcast(state: RaftState): void {
  if (!state.isBroadcastDue) return
  state.isBroadcastDue = false
  if (state.role !== 'leader') return
  for (const [id, peer] of state.progress) {
    if (id === state.id) continue
    sendPendingEntries(state, id, peer)
    if (isNoticeDue(state, peer)) sendAppend(state, id, peer)
  }
  state.isCommitNoticeDue = false
}

/** Whether a peer is to be told now of what is committed, by an append without entries if need be. */
export function isNoticeDue(state: RaftState, peer: Progress): boolean {
  if (!peer.needsCommit(state.log.committed)) return false
  if (state.config.holdsCommitNotices !== true) return true
  return state.isCommitNoticeDue || peer.awaitsCommit()
}

/**
 * Sends a heartbeat to all peers. The commit index is clipped to what the peer has acknowledged: beyond it, the peer's
 * log may hold something else.
 */
export function broadcastHeartbeat(state: RaftState, context: Uint8Array = emptyBytes): void {
  const { id: from, term } = state
  for (const [to, peer] of state.progress) {
    if (to === from) continue
    const commit = Math.min(peer.match, state.log.committed)
    peer.noteSentCommit(commit)
    send(state, { kind: 'heartbeat', from, to, term, commit, context })
  }
}

function maybeSendAppend(state: RaftState, to: NodeId, peer: Progress, when: SendWhen): boolean {
  if (peer.isPaused()) return false
  const previousIndex = peer.next - 1
  const previousTerm = state.log.term(previousIndex)
  if (typeof previousTerm !== 'number') return maybeSendSnapshot(state, to, peer)
  let entries: readonly Entry[] = []
  // A peer whose window is full gets empty appends: their answers reopen a window whose messages were all lost.
  if (peer.state !== 'replicate' || !peer.inflights.isFull()) {
    const found = state.log.entriesFrom(peer.next, state.config.appendSizeBytesMax)
    if (typeof found === 'string') return maybeSendSnapshot(state, to, peer)
    entries = found
  }
  if (entries.length === 0 && when === 'withEntries') return false
  const commit = state.log.committed
  const { id: from, term } = state
  send(state, { kind: 'append', from, to, term, previousIndex, previousTerm, entries, commit })
  peer.noteSent({ entryCount: entries.length, payloadBytes: payloadSizeBytes(entries) })
  peer.noteSentCommit(commit)
  return true
}

/** The log no longer holds what the peer needs. */
function maybeSendSnapshot(state: RaftState, to: NodeId, peer: Progress): boolean {
  // A peer that is away would not get it, and making one is costly; the next answer brings us back here.
  if (!peer.isRecentlyActive) return false
  const snapshot = state.log.snapshot()
  if (snapshot === 'temporarilyUnavailable') {
    state.config.logger.debug('snapshot not available yet', { peer: hexId(to) })
    return false
  }
  const { index } = snapshot.metadata
  assert(index > 0, 'a snapshot holds something')
  const { id: from, term } = state
  state.config.logger.info('sending snapshot', { peer: hexId(to), index, next: peer.next })
  send(state, { kind: 'snapshot', from, to, term, snapshot })
  peer.becomeSnapshot(index)
  return true
}
