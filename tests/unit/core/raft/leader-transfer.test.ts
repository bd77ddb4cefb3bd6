/** Handing over leadership (section 3.10 of the Raft thesis). */
import { describe, expect, test } from 'vitest'
import { noNode } from '../../../../src/core/base/ids.ts'
import {
  ack,
  bytes,
  change,
  confStateOf,
  electionTicks,
  id,
  leaderNode,
  message,
  only,
  TestNode,
} from './raft-fixture.ts'
import { TestNetwork } from './raft-network.ts'

/** Node 1 leads three; node 3 misses an entry and is cut off. */
function laggingNetwork(): TestNetwork {
  const network = new TestNetwork(3)
  network.campaign(1)
  network.isolate(3)
  network.propose(1, 'missed')
  return network
}

describe('leadership transfer', () => {
  test.each([1, 2])(
    'transfer-targets: asked on node %s, an up-to-date node takes over at once',
    (on) => {
      const network = new TestNetwork(3)
      network.campaign(1)
      network.node(on).raft.transferLeader(id(2))
      network.settle()
      expect(network.isLedBy(2)).toBe(true)
      expect(network.terms()).toEqual([2, 2, 2])
      expect(network.propose(2, 'x')).toBe('accepted')
      expect(network.node(1).appliedTexts()).toEqual(['x'])
    },
  )

  test('transfer-targets: a slow node takes over once it acknowledged the whole log', () => {
    const network = laggingNetwork()
    network.node(1).raft.transferLeader(id(3))
    network.settle()
    expect(network.isLedBy(1, [1, 2])).toBe(true)
    expect(network.node(1).raft.transferee).toBe(id(3))
    network.recover()
    network.tick(1, [1])
    expect(network.isLedBy(3)).toBe(true)
  })

  test('transfer-targets: a node that needs a snapshot takes over after it', () => {
    const network = laggingNetwork()
    const leader = network.node(1)
    const confState = leader.raft.confState
    leader.storage.createSnapshot({ index: 2, confState, data: bytes('all') })
    leader.storage.compact(2)
    leader.raft.transferLeader(id(3))
    network.settle()
    network.recover()
    network.tick(2, [1])
    expect(network.node(3).snapshots).toHaveLength(1)
    expect(network.isLedBy(3)).toBe(true)
  })

  test.each([
    { target: 'itself', node: 1 },
    { target: 'a stranger', node: 9 },
    { target: 'a learner', node: 4 },
  ])('transfer-targets: to $target nothing happens', ({ node }) => {
    const leader = leaderNode({ learners: [4] })
    leader.take(ack(4, 1, 1))
    leader.raft.transferLeader(id(node))
    expect(leader.raft).toMatchObject({ role: 'leader', transferee: noNode })
    expect(leader.drain()).toEqual([])
    expect(leader.raft.propose([bytes('x')])).toBe('accepted')
  })

  test('transfer-targets: without a leader a wish goes nowhere', () => {
    const node = new TestNode(2)
    node.raft.transferLeader(id(1))
    expect(node.drain()).toEqual([])
  })

  test('transfer-timeout: after E ticks the old leader serves again', () => {
    const network = laggingNetwork()
    network.node(1).raft.transferLeader(id(3))
    expect(network.propose(1, 'dropped')).toBe('transferring')
    network.tick(electionTicks - 1, [1, 2])
    expect(network.node(1).raft.transferee).toBe(id(3))
    network.tick(1, [1, 2])
    expect(network.node(1).raft.transferee).toBe(noNode)
    expect(network.propose(1, 'taken')).toBe('accepted')
    expect(network.node(2).appliedTexts()).toEqual(['missed', 'taken'])
  })

  test('transfer-timeout: the same wish again does not prolong it, another one begins anew', () => {
    const network = laggingNetwork()
    const leader = network.node(1)
    leader.raft.transferLeader(id(3))
    network.tick(electionTicks - 1, [1])
    leader.raft.transferLeader(id(3))
    network.tick(1, [1])
    expect(leader.raft.transferee).toBe(noNode)
    leader.raft.transferLeader(id(3))
    leader.raft.transferLeader(id(2))
    network.settle()
    expect(network.isLedBy(2, [1, 2])).toBe(true)
  })

  test('transfer-timeout: a wish for itself ends the transfer under way', () => {
    const network = laggingNetwork()
    network.node(1).raft.transferLeader(id(3))
    network.node(1).raft.transferLeader(id(1))
    expect(network.node(1).raft.transferee).toBe(noNode)
  })

  test.each(['remove', 'addLearner'] as const)(
    'transfer-timeout: it ends when the transferee leaves the voters (%s)',
    (action) => {
      const leader = leaderNode()
      leader.raft.transferLeader(id(3))
      expect(leader.raft.transferee).toBe(id(3))
      leader.raft.applyConfChange(change(action, 3))
      expect(leader.raft.transferee).toBe(noNode)
    },
  )

  test('transfer-timeout: leadership goes there and back again', () => {
    const network = new TestNetwork(3, { usesPreVote: true, checksQuorum: true })
    network.campaign(1)
    for (const [on, target] of [
      [1, 3],
      [3, 1],
      [1, 2],
    ] as const) {
      network.node(on).raft.transferLeader(id(target))
      network.settle()
      expect(network.isLedBy(target)).toBe(true)
    }
  })

  test('transfer-with-checkquorum: with pre-vote and check-quorum it waits for nothing', () => {
    const network = new TestNetwork(3, { usesPreVote: true, checksQuorum: true })
    network.campaign(1)
    network.tick(1)
    network.node(1).raft.transferLeader(id(3))
    network.settle()
    expect(network.isLedBy(3)).toBe(true)
    expect(only(network.delivered, 'preVote').filter(({ from }) => from === id(3))).toEqual([])
    const votes = only(network.delivered, 'vote').filter(({ from }) => from === id(3))
    expect(votes.every((vote) => vote.isTransfer)).toBe(true)
    expect(votes).toHaveLength(2)
  })

  test.each([
    { who: 'removed', confState: confStateOf({ voters: [2, 3] }) },
    { who: 'demoted', confState: confStateOf({ voters: [2, 3], learners: [1] }) },
  ])(
    'transfer-to-removed: a node that was $who does not campaign when told to',
    ({ confState }) => {
      const node = new TestNode(1, { confState, hardState: { term: 4 } })
      expect(node.take(message('timeoutNow', [2, 1], { term: 4 }))).toEqual([])
      expect(node.raft).toMatchObject({ role: 'follower', term: 4 })
    },
  )

  test('a candidate and a leader ignore the call to take over', () => {
    const leader = leaderNode()
    leader.take(message('timeoutNow', [2, 1], { term: 1 }))
    expect(leader.raft).toMatchObject({ role: 'leader', term: 1 })
    const candidate = new TestNode(1)
    candidate.raft.campaign()
    candidate.drain()
    candidate.take(message('timeoutNow', [2, 1], { term: 1 }))
    expect(candidate.raft).toMatchObject({ role: 'candidate', term: 1 })
  })
})
