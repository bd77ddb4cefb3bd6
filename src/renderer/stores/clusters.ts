/**
 * What is known about the cluster behind each connection: its last snapshot, and what was seen to change.
 *
 * Stores hold observations: the log of events says what this window saw and when, not what happened while it was closed.
 */

import { defineStore } from 'pinia'
import { reactive } from 'vue'
import type { ClusterItem, ClusterSnapshot, MemberInfo } from '../../preload/contract/cluster.ts'
import type { Subscription } from '../../preload/contract/reply.ts'
import { streamApi } from '../api/stream-api.ts'
import type { MemberRole } from '../components/marks/member-role.ts'

/** One thing that was seen to change. */
export interface ClusterEvent {
  readonly atMs: number
  readonly kind:
    'elected' | 'leaderLost' | 'memberLost' | 'memberBack' | 'memberAdded' | 'memberGone'
  readonly memberName: string
  readonly term: number
  /** The head when it was seen. */
  readonly revision: number
}

/** One leader's time, as far as it was seen. `untilMs` is absent while it goes on; no name: nobody led. */
export interface LeaderSpan {
  readonly memberName?: string
  readonly term: number
  readonly fromMs: number
  readonly untilMs?: number
}

/** What is known about one cluster. */
export interface ClusterState {
  snapshot?: ClusterSnapshot
  /** Present while the member list cannot be read. */
  failure?: string
  events: readonly ClusterEvent[]
  spans: readonly LeaderSpan[]
}

const eventsMax = 500
const spansMax = 200
/** Leader changes of a cluster on this machine are watched as they happen; others are asked as their state needs. */
const intervalMs = 1_000

export const useClusterStore = defineStore('clusters', () => {
  const states = reactive(new Map<string, ClusterState>())
  const subscriptions = new Map<string, Subscription>()

  function stateOf(connectionId: string): ClusterState {
    const known = states.get(connectionId)
    if (known !== undefined) return known
    states.set(connectionId, { events: [], spans: [] })
    return stateOf(connectionId)
  }

  /** Keeps asking the cluster behind a connection until `forget`. */
  function observe(connectionId: string): void {
    if (subscriptions.has(connectionId)) return
    const state = stateOf(connectionId)
    subscriptions.set(
      connectionId,
      streamApi.cluster(
        { connectionId, intervalMs },
        {
          onBatch: (items) => {
            for (const item of items) takeItem(state, item)
          },
          onEnd: () => {
            subscriptions.delete(connectionId)
          },
        },
      ),
    )
  }

  function forget(connectionId: string): void {
    subscriptions.get(connectionId)?.close()
    subscriptions.delete(connectionId)
    states.delete(connectionId)
  }

  return { states, stateOf, observe, forget }
})

/** A member's role as it is drawn: one that does not answer is down, whatever it was. */
export function shownRole(member: MemberInfo): MemberRole {
  if (member.reachability.kind === 'unreachable') return 'down'
  return member.role === 'unknown' ? 'down' : member.role
}

/** The name of a member, or its first client URL while it has none. */
export function memberLabel(member: MemberInfo): string {
  return member.name === '' ? (member.clientUrls[0] ?? '?') : member.name
}

/** Takes one delivery of the cluster stream into a state. Exported for its tests. */
export function takeItem(state: ClusterState, item: ClusterItem): void {
  if (item.kind === 'failed') {
    state.failure = item.reason
    return
  }
  delete state.failure
  const snapshot = withSortedMembers(item.snapshot)
  const added = eventsBetween(state.snapshot, snapshot)
  if (added.length > 0) state.events = [...added.reverse(), ...state.events].slice(0, eventsMax)
  state.spans = withLeader(state.spans, snapshot)
  state.snapshot = snapshot
}

/** Members by name, so that rows and seats keep their places whatever order an answer has. */
function withSortedMembers(snapshot: ClusterSnapshot): ClusterSnapshot {
  const members = [...snapshot.members].sort((left, right) =>
    memberLabel(left) < memberLabel(right) ? -1 : 1,
  )
  return { ...snapshot, members }
}

function eventsBetween(before: ClusterSnapshot | undefined, now: ClusterSnapshot): ClusterEvent[] {
  if (before === undefined) return []
  const at = { atMs: now.observedAtMs, term: now.term, revision: now.headRevision }
  const events: ClusterEvent[] = []
  for (const member of now.members) {
    const old = before.members.find((one) => one.id === member.id)
    const memberName = memberLabel(member)
    if (old === undefined) events.push({ ...at, kind: 'memberAdded', memberName })
    else if (shownRole(old) !== 'down' && shownRole(member) === 'down')
      events.push({ ...at, kind: 'memberLost', memberName })
    else if (shownRole(old) === 'down' && shownRole(member) !== 'down')
      events.push({ ...at, kind: 'memberBack', memberName })
  }
  for (const member of before.members) {
    if (!now.members.some((one) => one.id === member.id))
      events.push({ ...at, kind: 'memberGone', memberName: memberLabel(member) })
  }
  const memberName = findLeaderName(now)
  if (now.leaderId !== before.leaderId) {
    if (memberName !== undefined) events.push({ ...at, kind: 'elected', memberName })
    else events.push({ ...at, kind: 'leaderLost', memberName: findLeaderName(before) ?? '' })
  }
  return events
}

function withLeader(spans: readonly LeaderSpan[], now: ClusterSnapshot): readonly LeaderSpan[] {
  const last = spans.at(-1)
  const memberName = findLeaderName(now)
  if (last !== undefined && last.memberName === memberName && last.term === now.term) return spans
  const ended = last === undefined ? [] : [{ ...last, untilMs: now.observedAtMs }]
  const next: LeaderSpan = {
    term: now.term,
    fromMs: now.observedAtMs,
    ...(memberName === undefined ? {} : { memberName }),
  }
  return [...spans.slice(0, -1), ...ended, next].slice(-spansMax)
}

/** Name of the leader that the members agree on. */
export function findLeaderName(snapshot: ClusterSnapshot): string | undefined {
  const leader = snapshot.members.find((member) => member.id === snapshot.leaderId)
  return leader === undefined ? undefined : memberLabel(leader)
}
