/** Followers that are so far behind that the log does not reach them any more (section 7 of the Raft paper). */
import { describe, expect, test } from 'vitest'
import type { Snapshot } from '../../../../src/core/raft/message.ts'
import type { PeerProgress } from '../../../../src/core/raft/ready.ts'
import {
  ack,
  bytes,
  confStateOf,
  entriesOfTerms,
  id,
  leaderNode,
  message,
  only,
  single,
  snapshotAt,
  TestNode,
} from './raft-fixture.ts'
import type { NodeOptions } from './raft-fixture.ts'
import { TestNetwork } from './raft-network.ts'

const voters = confStateOf({ voters: [1, 2, 3] })

/** Node 1 leads three; its log begins behind a snapshot at index 11. */
function compactedLeader(options: NodeOptions = {}): TestNode {
  return leaderNode({ snapshot: snapshotAt(11, 1, voters), hardState: { term: 1 }, ...options })
}

function peer(node: TestNode, of: number): PeerProgress {
  const found = node.raft.status().progress.get(id(of))
  if (found === undefined) throw new Error('no such peer')
  return found
}

function reject(from: number, index: number, term = 2) {
  const body = { term, index, isRejected: true, rejectHint: 0, hintTerm: 0 }
  return message('appendResponse', [from, 1], body)
}

/** The leader has found out that node 2 needs a snapshot, and sent one. */
function leaderSendingSnapshot(): TestNode {
  const node = compactedLeader()
  const sent = node.take(reject(2, 11))
  expect(single(only(sent, 'snapshot', 2)).snapshot.metadata.index).toBe(11)
  expect(peer(node, 2)).toMatchObject({ state: 'snapshot', isPaused: true, next: 12 })
  return node
}

function offer(node: TestNode, snapshot: Snapshot) {
  const sent = node.take(message('snapshot', [2, 1], { term: 3, snapshot }))
  return single(only(sent, 'appendResponse', 2))
}

describe('snapshots', () => {
  test('snapshot-catch-up: a follower behind the compaction gets a snapshot, then entries', () => {
    const network = new TestNetwork(3)
    network.campaign(1)
    network.isolate(3)
    for (const each of ['a', 'b', 'c']) network.propose(1, each)
    const leader = network.node(1)
    leader.storage.createSnapshot({
      index: 4,
      confState: leader.raft.confState,
      data: bytes('abc'),
    })
    leader.storage.compact(4)
    network.propose(1, 'd')
    network.recover()
    network.tick(2)
    const follower = network.node(3)
    expect(follower.snapshots.map((snapshot) => snapshot.metadata.index)).toEqual([4])
    expect(follower.appliedTexts()).toEqual(['d'])
    expect(follower.raft).toMatchObject({ commit: 5, applied: 5 })
    expect(peer(leader, 3)).toMatchObject({ state: 'replicate', match: 5 })
    network.propose(1, 'e')
    expect(follower.appliedTexts()).toEqual(['d', 'e'])
  })

  test('snapshot-catch-up: nothing else is sent while the snapshot is under way', () => {
    const node = leaderSendingSnapshot()
    node.raft.propose([bytes('x')])
    expect(only(node.drain(), 'append', 2)).toEqual([])
    const answer = message('heartbeatResponse', [2, 1], { term: 2, context: bytes('') })
    const sent = node.take(answer)
    expect([...only(sent, 'append', 2), ...only(sent, 'snapshot', 2)]).toEqual([])
  })

  test('snapshot-status: after delivery the peer is probed behind the snapshot once it acknowledges', () => {
    const node = leaderSendingSnapshot()
    node.raft.reportSnapshot(id(2), 'delivered')
    expect(peer(node, 2)).toMatchObject({ state: 'probe', isPaused: true, next: 12 })
    const sent = node.take(ack(2, 2, 11))
    expect(single(only(sent, 'append', 2))).toMatchObject({ previousIndex: 11 })
    expect(peer(node, 2)).toMatchObject({ state: 'replicate', match: 11 })
  })

  test('snapshot-status: after a failure the peer is asked from where it was, a heartbeat later', () => {
    const node = leaderSendingSnapshot()
    node.raft.reportSnapshot(id(2), 'failed')
    expect(peer(node, 2)).toMatchObject({ state: 'probe', isPaused: true, next: 1 })
    expect(only(node.drain(), 'snapshot', 2)).toEqual([])
    const sent = node.take(message('heartbeatResponse', [2, 1], { term: 2, context: bytes('') }))
    expect(only(sent, 'snapshot', 2)).toHaveLength(1)
  })

  test('snapshot-status: an acknowledgement that already covers the snapshot ends it', () => {
    const node = leaderSendingSnapshot()
    node.raft.propose([bytes('x')])
    node.drain()
    node.take(ack(2, 2, 11))
    expect(peer(node, 2)).toMatchObject({ state: 'replicate', match: 11, next: 14 })
  })

  test('snapshot-status: an acknowledgement beyond the snapshot ends it too', () => {
    const node = leaderSendingSnapshot()
    node.take(ack(2, 2, 12))
    expect(peer(node, 2)).toMatchObject({ state: 'replicate', match: 12 })
  })

  test('snapshot-status: one that the log does not reach changes nothing', () => {
    const node = leaderSendingSnapshot()
    node.take(ack(2, 2, 10))
    expect(peer(node, 2)).toMatchObject({ state: 'snapshot', match: 10, next: 12 })
    // Even below the snapshot's index an acknowledgement helps if the log reaches it: any snapshot may have come first.
    const other = compactedLeader({ snapshot: snapshotAt(5, 1, voters) })
    other.raft.propose([bytes('x'), bytes('y')])
    other.drain()
    other.take(ack(3, 2, 8))
    other.storage.createSnapshot({ index: 8, confState: voters, data: bytes('later') })
    other.take(reject(2, 5))
    expect(peer(other, 2).state).toBe('snapshot')
    other.take(ack(2, 2, 5))
    expect(peer(other, 2)).toMatchObject({ state: 'replicate', match: 5 })
  })

  test('snapshot-status: a report about a peer that gets none is ignored', () => {
    const node = leaderNode()
    node.take(ack(2, 1, 1))
    node.raft.reportSnapshot(id(2), 'failed')
    node.raft.reportSnapshot(id(9), 'failed')
    expect(peer(node, 2)).toMatchObject({ state: 'replicate', isPaused: false })
  })

  test('snapshot-stale: a snapshot older than the commit index is ignored', () => {
    const node = new TestNode(1, { logTerms: [1, 1, 1], hardState: { term: 1, commit: 3 } })
    node.drain()
    expect(offer(node, snapshotAt(2, 1, voters))).toMatchObject({ index: 3, isRejected: false })
    expect(node.snapshots).toEqual([])
    expect(node.log()).toHaveLength(3)
  })

  test('snapshot-stale: a snapshot that agrees with the log only moves the commit index', () => {
    const node = new TestNode(1, { logTerms: [1, 1, 1, 1], hardState: { term: 1, commit: 1 } })
    expect(offer(node, snapshotAt(3, 1, voters))).toMatchObject({ index: 3, isRejected: false })
    expect(node.raft).toMatchObject({ commit: 3, lastIndex: 4 })
    expect(node.snapshots).toEqual([])
    expect(node.applied.map((entry) => entry.index)).toEqual([1, 2, 3])
  })

  test('snapshot-stale: any other replaces the whole log', () => {
    const node = new TestNode(1, { logTerms: [1, 1, 2, 2], hardState: { term: 2, commit: 1 } })
    expect(offer(node, snapshotAt(3, 3, voters))).toMatchObject({ index: 3, isRejected: false })
    expect(node.raft).toMatchObject({ commit: 3, lastIndex: 3, applied: 3 })
    expect(node.snapshots).toHaveLength(1)
    expect(node.log()).toEqual([])
    expect(node.storage.term(3)).toBe(3)
  })

  test('snapshot-roles: a snapshot that does not know the receiver is refused', () => {
    const node = new TestNode(1)
    const response = offer(node, snapshotAt(9, 2, confStateOf({ voters: [2, 3, 4] })))
    expect(response).toMatchObject({ index: 0, isRejected: false })
    expect(node.raft).toMatchObject({ commit: 0, confState: voters })
  })

  test.each([
    { now: 'voter', before: voters, after: confStateOf({ voters: [2, 3], learners: [1] }) },
    { now: 'learner', before: confStateOf({ voters: [2], learners: [1] }), after: voters },
    {
      now: 'learner',
      before: confStateOf({ voters: [2], learners: [1] }),
      after: confStateOf({ voters: [2, 3], votersOutgoing: [1, 2], learnersNext: [1] }, true),
    },
  ])('snapshot-roles: a $now takes the role that the snapshot gives it', ({ before, after }) => {
    const node = new TestNode(1, { confState: before })
    offer(node, snapshotAt(9, 2, after))
    expect(node.raft.confState).toEqual(after)
    expect(node.raft.status().isLearner).toBe(after.learners.includes(id(1)))
    node.raft.campaign()
    expect(node.raft.role).toBe(after.learners.includes(id(1)) ? 'follower' : 'candidate')
  })

  test('snapshot-inactive-peer: a peer that was not heard gets no snapshot', () => {
    const node = compactedLeader({ checksQuorum: true })
    node.take(ack(2, 2, 12))
    node.raft.propose([bytes('x'), bytes('y')])
    node.drain()
    node.take(ack(3, 2, 14))
    node.storage.createSnapshot({ index: 14, confState: voters, data: bytes('') })
    node.storage.compact(14)
    // Node 3 answers and keeps the leader in office; node 2 is silent.
    const answer = (from: number) =>
      message('heartbeatResponse', [from, 1], { term: 2, context: bytes('') })
    for (let tick = 0; tick < 20; tick++) {
      node.ticks(1)
      node.take(answer(3))
    }
    expect(peer(node, 2).isRecentlyActive).toBe(false)
    node.raft.reportUnreachable(id(2))
    node.raft.propose([bytes('z')])
    expect(only(node.drain(), 'snapshot')).toEqual([])
    expect(only(node.take(answer(2)), 'snapshot', 2)).toHaveLength(1)
  })

  test('snapshot-inactive-peer: a snapshot that is not available yet is asked for again', () => {
    const node = leaderNode({ logTerms: [1, 1, 1], hardState: { term: 1, commit: 3 } })
    node.storage.compact(3)
    expect(only(node.take(reject(2, 3)), 'snapshot')).toEqual([])
    expect(peer(node, 2)).toMatchObject({ state: 'probe', isPaused: false })
    node.storage.createSnapshot({ index: 3, confState: voters, data: bytes('') })
    const sent = node.take(message('heartbeatResponse', [2, 1], { term: 2, context: bytes('') }))
    expect(only(sent, 'snapshot', 2)).toHaveLength(1)
  })

  test('snapshot-leader-crash: the leader crashes while a follower restores, and a new one continues', () => {
    const network = new TestNetwork(3)
    network.campaign(1)
    network.isolate(3)
    for (const each of ['a', 'b', 'c']) network.propose(1, each)
    for (const node of [network.node(1), network.node(2)]) {
      node.storage.createSnapshot({ index: 4, confState: voters, data: bytes('abc') })
      node.storage.compact(4)
    }
    network.recover()
    // The snapshot reaches node 3, and the leader is gone before the acknowledgement leaves.
    network.node(1).raft.tick()
    network.ignore('appendResponse')
    network.settle()
    const follower = network.node(3)
    follower.drain()
    network.recover()
    network.tick(1)
    network.isolate(1)
    network.campaign(2)
    network.propose(2, 'd')
    expect(network.isLedBy(2, [2, 3])).toBe(true)
    expect(follower.snapshots.length).toBeGreaterThan(0)
    expect(follower.appliedTexts()).toEqual(['d'])
  })

  test('an older snapshot than the log continues from is not given to a follower', () => {
    const node = new TestNode(1, { logTerms: [1, 1, 1], hardState: { term: 1, commit: 3 } })
    node.storage.createSnapshot({ index: 1, confState: voters, data: bytes('') })
    node.storage.compact(2)
    expect(node.storage.snapshot()).toBe('temporarilyUnavailable')
    expect(node.storage.entries({ low: 2, high: 3, sizeBytesMax: 9 })).toBe('compacted')
    expect(node.storage.entries({ low: 3, high: 5, sizeBytesMax: 9 })).toBe('unavailable')
  })

  test('stable storage overlays an overwritten tail and ignores what is compacted', () => {
    const node = new TestNode(1, { logTerms: [1, 1, 1, 1] })
    node.storage.compact(2)
    node.storage.append(entriesOfTerms([1, 1, 2], 1))
    expect(node.log()).toEqual(['2:3'])
    node.storage.append(entriesOfTerms([9], 1))
    expect(node.log()).toEqual(['2:3'])
    expect(node.storage.applySnapshot(snapshotAt(9, 2, voters))).toBe('applied')
    expect(node.storage.applySnapshot(snapshotAt(8, 2, voters))).toBe('outdated')
    expect([node.storage.firstIndex(), node.storage.lastIndex()]).toEqual([10, 9])
  })
})
