import { describe, expect, test } from 'vitest'
import type { ClusterSnapshot, MemberInfo } from '../../../../src/preload/contract/cluster.ts'
import { findLeaderName, shownRole, takeItem } from '../../../../src/renderer/stores/clusters.ts'
import type { ClusterState } from '../../../../src/renderer/stores/clusters.ts'

const member = (id: bigint, change: Partial<MemberInfo> = {}): MemberInfo => ({
  id,
  name: `n${String(id)}`,
  peerUrls: [],
  clientUrls: [],
  isLearner: false,
  role: 'follower',
  reachability: { kind: 'reachable', latencyMs: 1 },
  alarms: [],
  ...change,
})
const snapshot = (
  observedAtMs: number,
  change: Partial<ClusterSnapshot> = {},
): ClusterSnapshot => ({
  observedAtMs,
  clusterId: 1n,
  members: [member(1n), member(2n), member(3n)],
  leaderId: 1n,
  term: 2,
  headRevision: 10,
  quorumSize: 2,
  hasQuorum: true,
  ...change,
})
const withoutLeader = (one: ClusterSnapshot): ClusterSnapshot => {
  const rest: { leaderId?: bigint } & ClusterSnapshot = { ...one }
  delete rest.leaderId
  return rest
}
const take = (...snapshots: readonly ClusterSnapshot[]): ClusterState => {
  const state: ClusterState = { events: [], spans: [] }
  for (const one of snapshots) takeItem(state, { kind: 'snapshot', snapshot: one })
  return state
}

describe('takeItem', () => {
  test('a leader that dies, the time without one and the next are told, newest first', () => {
    const down = member(1n, { reachability: { kind: 'unreachable', reason: 'refused' } })
    const members = [down, member(2n), member(3n)]
    const state = take(
      snapshot(100),
      withoutLeader(snapshot(200, { members })),
      snapshot(300, { members, leaderId: 2n, term: 3 }),
    )
    expect(state.events.map((event) => [event.atMs, event.kind, event.memberName])).toEqual([
      [300, 'elected', 'n2'],
      [200, 'leaderLost', 'n1'],
      [200, 'memberLost', 'n1'],
    ])
    expect(state.spans).toEqual([
      { memberName: 'n1', term: 2, fromMs: 100, untilMs: 200 },
      { term: 2, fromMs: 200, untilMs: 300 },
      { memberName: 'n2', term: 3, fromMs: 300 },
    ])
  })

  test('nothing changes while nothing changes', () => {
    const state = take(snapshot(100), snapshot(200), snapshot(300))
    expect(state.events).toEqual([])
    expect(state.spans).toEqual([{ memberName: 'n1', term: 2, fromMs: 100 }])
  })

  test('members that come and go are told', () => {
    const state = take(
      snapshot(100),
      snapshot(200, { members: [member(1n), member(2n), member(4n)] }),
    )
    expect(state.events.map((event) => event.kind).sort()).toEqual(['memberAdded', 'memberGone'])
  })

  test('a failed reading keeps the last snapshot and goes away with the next', () => {
    const state = take(snapshot(100))
    takeItem(state, { kind: 'failed', observedAtMs: 150, reason: 'no answer' })
    expect([state.failure, state.snapshot?.observedAtMs]).toEqual(['no answer', 100])
    takeItem(state, { kind: 'snapshot', snapshot: snapshot(200) })
    expect(state.failure).toBeUndefined()
  })
})

test('a member that does not answer is down, whatever it was', () => {
  const reachability = { kind: 'unreachable', reason: 'x' } as const
  expect(shownRole(member(1n, { role: 'leader', reachability }))).toBe('down')
  expect(shownRole(member(1n, { role: 'unknown' }))).toBe('down')
  expect(shownRole(member(1n, { role: 'learner' }))).toBe('learner')
})

test('a leader without a name is told by its address', () => {
  const unnamed = member(1n, { name: '', clientUrls: ['http://10.0.0.1:2379'] })
  expect(findLeaderName(snapshot(1, { members: [unnamed] }))).toBe('http://10.0.0.1:2379')
})
