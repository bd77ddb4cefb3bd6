/** Terms, pre-votes and the look at the quorum (sections 4.2.3 and 9.6 of the Raft thesis). */
import { describe, expect, test } from 'vitest'
import { noNode } from '../../../../src/core/base/ids.ts'
import type { Message } from '../../../../src/core/raft/message.ts'
import {
  ack,
  electionTicks,
  entriesOfTerms,
  id,
  leaderNode,
  message,
  only,
  single,
  TestNode,
} from './raft-fixture.ts'
import { TestNetwork } from './raft-network.ts'

const noContext = new Uint8Array(0)

function heartbeat(from: number, term: number): Message {
  return message('heartbeat', [from, 1], { term, commit: 0, context: noContext })
}

function request(kind: 'vote' | 'preVote', term: number, isTransfer = false): Message {
  return message(kind, [2, 1], { term, lastIndex: 9, lastTerm: 9, isTransfer })
}

/** Node 3 is cut off, campaigns for a while and comes back to a leader in node 1. */
function rejoin(usesPreVote: boolean): TestNetwork {
  const network = new TestNetwork(3, { usesPreVote, checksQuorum: true })
  network.campaign(1)
  network.isolate(3)
  network.tick(6 * electionTicks)
  network.recover()
  network.tick(3 * electionTicks)
  return network
}

describe('pre-vote and check-quorum', () => {
  test('prevote-rejoin: with pre-vote a node that was cut off disturbs nobody', () => {
    const network = rejoin(true)
    expect(network.isLedBy(1)).toBe(true)
    expect(network.terms()).toEqual([1, 1, 1])
  })

  test('prevote-rejoin: without it the leader steps down once, then the cluster is quiet', () => {
    const network = rejoin(false)
    const [term] = network.terms()
    expect(term).toBeGreaterThan(1)
    expect(new Set(network.terms()).size).toBe(1)
    expect(network.roles().filter((role) => role === 'leader')).toHaveLength(1)
    network.tick(5 * electionTicks)
    expect(network.terms()).toEqual([term, term, term])
  })

  test('prevote-lease: a pre-vote is ignored while the leader is fresh, granted after E ticks of silence', () => {
    const node = new TestNode(1, { usesPreVote: true, checksQuorum: true, seed: 3 })
    node.take(heartbeat(3, 1))
    expect(node.take(request('preVote', 2))).toEqual([])
    for (let tick = 0; tick < electionTicks - 1; tick++) node.raft.tick()
    expect(node.take(request('preVote', 2))).toEqual([])
    node.raft.tick()
    const response = single(only(node.take(request('preVote', 2)), 'preVoteResponse'))
    expect(response).toMatchObject({ term: 2, isRejected: false })
    expect(node.raft.term).toBe(1)
  })

  test('checkquorum-stepdown: a leader that nobody answers steps down within [E, 2E)', () => {
    for (let ticksBefore = 1; ticksBefore < electionTicks; ticksBefore++) {
      const network = new TestNetwork(3, { checksQuorum: true })
      network.campaign(1)
      network.tick(ticksBefore, [1])
      network.isolate(1)
      let silentTicks = 0
      while (network.node(1).raft.role === 'leader') {
        network.tick(1, [1])
        silentTicks++
      }
      expect(silentTicks).toBeGreaterThanOrEqual(electionTicks)
      expect(silentTicks).toBeLessThan(2 * electionTicks)
      expect(network.node(1).raft).toMatchObject({ role: 'follower', term: 1, leader: noNode })
    }
  })

  test('checkquorum-stepdown: a leader that a quorum answers goes on leading', () => {
    const network = new TestNetwork(3, { checksQuorum: true })
    network.campaign(1)
    network.isolate(3)
    network.tick(5 * electionTicks, [1, 2])
    expect(network.isLedBy(1, [1, 2])).toBe(true)
  })

  test.each(['vote', 'preVote'] as const)(
    'lease-ignores-vote: a %s of a higher term gets no answer while the leader is fresh, but a transfer does',
    (kind) => {
      const node = new TestNode(1, { checksQuorum: true })
      node.take(heartbeat(3, 1))
      expect(node.take(request(kind, 5))).toEqual([])
      expect(node.raft).toMatchObject({ term: 1, leader: id(3) })
      const sent = node.take(request(kind, 5, true))
      const response = single(only(sent, kind === 'vote' ? 'voteResponse' : 'preVoteResponse'))
      expect(response).toMatchObject({ term: 5, isRejected: false })
    },
  )

  test('free-stuck-candidate: the answer to an append of a lower term dislodges the leader, and the cluster heals', () => {
    const network = new TestNetwork(3, { checksQuorum: true })
    network.campaign(1)
    network.isolate(3)
    network.campaign(3)
    network.campaign(3)
    expect(network.node(3).raft).toMatchObject({ role: 'candidate', term: 3 })
    network.recover()
    // Both others heard from the leader: the candidate gets no answer at all.
    network.send(message('vote', [3, 2], { term: 3, lastIndex: 0, lastTerm: 0, isTransfer: false }))
    expect(network.node(2).raft.term).toBe(1)
    network.send(
      message('append', [1, 3], {
        term: 1,
        previousIndex: 1,
        previousTerm: 1,
        entries: [],
        commit: 1,
      }),
    )
    expect(network.node(1).raft).toMatchObject({ role: 'follower', term: 3 })
    network.campaign(1)
    expect(network.isLedBy(1)).toBe(true)
    expect(network.terms()).toEqual([4, 4, 4])
    expect(network.logs()[2]).toEqual(network.logs()[0])
  })

  test('prevote-migration: a cluster with a stuck candidate of a higher term completes an election after the change', () => {
    // Nodes 1 and 2 already use pre-votes; node 3, still without, campaigned alone with a short log.
    const network = new TestNetwork(3, {}, { 1: { usesPreVote: true }, 2: { usesPreVote: true } })
    network.campaign(1)
    network.isolate(3)
    network.propose(1)
    network.campaign(3)
    network.campaign(3)
    const stuckTerm = network.node(3).raft.term
    expect(stuckTerm).toBe(3)
    // Node 3 is restarted with pre-votes as well and stays behind in its log.
    network.node(3).restart({ usesPreVote: true })
    network.recover()
    network.campaign(3)
    expect(network.node(3).raft.term).toBe(stuckTerm)
    // Nodes 1 and 2 learn of its term by pre-votes and get a leader that can lead all three.
    network.tick(8 * electionTicks)
    expect(network.roles().filter((role) => role === 'leader')).toHaveLength(1)
    expect(new Set(network.terms()).size).toBe(1)
    expect(network.node(1).raft.term).toBeGreaterThanOrEqual(stuckTerm)
    expect(network.logs()[2]).toEqual(network.logs()[0])
  })

  test('prevote-migration: a pre-vote of a lower term is refused with the own term, which the asker takes', () => {
    const node = new TestNode(1, { hardState: { term: 7 }, usesPreVote: true })
    const response = single(only(node.take(request('preVote', 3)), 'preVoteResponse'))
    expect(response).toMatchObject({ term: 7, isRejected: true })
  })

  test('forget-leader: a follower votes for a challenger at once', () => {
    const node = new TestNode(1, { checksQuorum: true })
    node.take(heartbeat(3, 1))
    expect(node.take(request('vote', 2))).toEqual([])
    node.raft.forgetLeader()
    expect(node.raft.leader).toBe(noNode)
    const response = single(only(node.take(request('vote', 2)), 'voteResponse'))
    expect(response.isRejected).toBe(false)
  })

  test('forget-leader: ignored under lease reads, and by a leader', () => {
    const follower = new TestNode(1, { checksQuorum: true, readMode: 'lease' })
    follower.take(heartbeat(3, 1))
    follower.raft.forgetLeader()
    expect(follower.raft.leader).toBe(id(3))
    const leader = leaderNode()
    leader.raft.forgetLeader()
    expect(leader.raft).toMatchObject({ role: 'leader', leader: id(1) })
    expect(leader.raft.hasReady()).toBe(false)
  })

  test('late-self-ack: an acknowledgement to itself of an older term is ignored', () => {
    const node = leaderNode({ voters: [1, 2, 3, 4, 5] })
    node.raft.propose([new Uint8Array(1)])
    const ready = node.raft.ready()
    expect(ready.entries).toHaveLength(1)
    // Before the disk is done node 2 takes over, overwrites the entry, and node 1 wins again.
    node.raft.step(
      message('append', [2, 1], {
        term: 2,
        previousIndex: 1,
        previousTerm: 1,
        entries: entriesOfTerms([2], 2),
        commit: 0,
      }),
    )
    node.persist(ready)
    node.raft.advance()
    expect(node.raft).toMatchObject({ role: 'follower', term: 2, lastIndex: 2 })
    const [acknowledgement] = only(node.drain(), 'appendResponse')
    expect(acknowledgement).toMatchObject({ to: id(2), term: 2, index: 2 })
    expect(node.log()).toEqual(['1:1', '2:2'])
  })

  test('late-self-ack: a leader of a later term does not count it either', () => {
    // Three voters: with the stale self-acknowledgement one more would commit.
    const node = leaderNode()
    node.take(ack(2, 1, 1))
    node.raft.propose([new Uint8Array(1)])
    const ready = node.raft.ready()
    node.raft.step(heartbeat(2, 2))
    node.raft.campaign()
    node.raft.step(message('voteResponse', [3, 1], { term: 3, isRejected: false }))
    node.persist(ready)
    node.raft.advance()
    expect(node.raft).toMatchObject({ role: 'candidate', term: 3, commit: 1 })
    node.drain()
    expect(node.raft).toMatchObject({ role: 'leader', commit: 1 })
  })

  test('a message of the host itself is refused when it comes from the network', () => {
    const node = leaderNode()
    const local: Message[] = [
      message('campaign', [2, 1], { term: 1 }),
      message('unreachable', [2, 1], { term: 1 }),
      message('snapshotStatus', [2, 1], { term: 1, isFailed: true }),
      message('forgetLeader', [2, 1], { term: 1 }),
      message('append', [2, 1], {
        term: 0,
        previousIndex: 0,
        previousTerm: 0,
        entries: [],
        commit: 0,
      }),
    ]
    expect(local.map((each) => node.raft.step(each))).toEqual(local.map(() => 'refusedLocalKind'))
    expect(node.raft.hasReady()).toBe(false)
  })

  test('a response from a stranger or in the own name is refused', () => {
    const node = leaderNode()
    expect(node.raft.step(ack(9, 1, 1))).toBe('refusedUnknownPeer')
    expect(node.raft.step(ack(1, 1, 1))).toBe('refusedUnknownPeer')
    expect(node.raft.step(ack(9, 5, 1))).toBe('refusedUnknownPeer')
    expect(node.raft.term).toBe(1)
  })
})
