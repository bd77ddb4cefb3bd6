/** Linearizable reads without writing to the log (section 6.4 of the Raft thesis). */
import { describe, expect, test } from 'vitest'
import { noPlantedBugs } from '../../../../src/core/raft/planted-bugs.ts'
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
  single,
  TestNode,
  text,
} from './raft-fixture.ts'
import { TestNetwork } from './raft-network.ts'

/** What a node was told about its reads: context and index. */
function answers(node: TestNode): string[] {
  return node.reads.map(({ context, index }) => `${text(context)}@${index}`)
}

/** A leader of three that has committed the first entry of its term. */
function settledLeader(options = {}): TestNode {
  const node = leaderNode(options)
  for (const [peer] of node.raft.status().progress) {
    if (peer !== id(1)) node.take(ack(Number(peer), 1, 1))
  }
  expect(node.raft.commit).toBe(1)
  return node
}

function ask(node: TestNode, context: string) {
  expect(node.raft.readIndex(bytes(context))).toBe('accepted')
  return only(node.drain(), 'heartbeat')
}

function echo(node: TestNode, from: number, context: Uint8Array): void {
  node.take(message('heartbeatResponse', [from, 1], { term: 1, context }))
}

describe('read index', () => {
  test.each([1, 2])('read-quorum: a read on node %s is answered by a quorum only', (reader) => {
    const network = new TestNetwork(3)
    network.campaign(1)
    network.propose(1)
    network.node(reader).raft.readIndex(bytes('a'))
    network.settle()
    expect(answers(network.node(reader))).toEqual(['a@2'])
    network.isolate(3)
    network.node(reader).raft.readIndex(bytes('b'))
    network.settle()
    expect(answers(network.node(reader))).toEqual(['a@2', 'b@2'])
    network.ignore('heartbeatResponse')
    network.node(reader).raft.readIndex(bytes('c'))
    network.settle()
    expect(answers(network.node(reader))).toHaveLength(2)
    network.recover()
    network.tick(1)
    expect(answers(network.node(reader))).toEqual(['a@2', 'b@2', 'c@2'])
  })

  test('read-quorum: nobody is asked without a leader', () => {
    const node = new TestNode(1)
    expect(node.raft.readIndex(bytes('a'))).toBe('noLeader')
    node.raft.campaign()
    expect(node.raft.readIndex(bytes('a'))).toBe('noLeader')
    expect(only(node.drain(), 'readIndex')).toEqual([])
  })

  test('read-new-leader: a read waits until the leader has committed an entry of its term', () => {
    const node = leaderNode({ logTerms: [1, 1], hardState: { term: 1, commit: 1 } })
    expect(ask(node, 'early')).toEqual([])
    node.take(ack(2, 2, 2))
    expect(node.raft.commit).toBe(1)
    const beats = only(node.take(ack(2, 2, 3)), 'heartbeat')
    expect(answers(node)).toEqual([])
    const beat = single(beats.filter(({ to }) => to === id(2)))
    node.take(message('heartbeatResponse', [2, 1], { term: 2, context: beat.context }))
    expect(answers(node)).toEqual(['early@3'])
  })

  test('read-new-leader: reads parked at a leader that is deposed are dropped', () => {
    const node = leaderNode()
    ask(node, 'early')
    node.take(message('heartbeat', [2, 1], { term: 2, commit: 0, context: bytes('') }))
    expect(node.raft.role).toBe('follower')
    expect(answers(node)).toEqual([])
  })

  test('read-batch-and-duplicates: one echo confirms all reads up to its round, in order', () => {
    const node = settledLeader()
    const rounds = ['a', 'b', 'c', 'd'].map((context) => ask(node, context)[0]?.context)
    echo(node, 2, rounds[2] ?? bytes(''))
    expect(answers(node)).toEqual(['a@1', 'b@1', 'c@1'])
    // A later echo of an earlier round changes nothing.
    echo(node, 3, rounds[0] ?? bytes(''))
    expect(answers(node)).toHaveLength(3)
    echo(node, 3, rounds[3] ?? bytes(''))
    expect(answers(node)).toEqual(['a@1', 'b@1', 'c@1', 'd@1'])
  })

  test('read-batch-and-duplicates: a repeated context is not confirmed by the echo of its first attempt', () => {
    const node = settledLeader()
    const first = ask(node, 'same')[0]?.context ?? bytes('')
    node.raft.propose([bytes('x')])
    node.drain()
    node.take(ack(3, 1, 2))
    const second = ask(node, 'same')[0]?.context ?? bytes('')
    expect(first).not.toEqual(second)
    echo(node, 2, first)
    expect(answers(node)).toEqual(['same@1'])
    echo(node, 2, second)
    // The index is that of the request's arrival, not of its confirmation.
    expect(answers(node)).toEqual(['same@1', 'same@2'])
  })

  test('read-batch-and-duplicates: an echo of a round that was never sent is ignored', () => {
    const node = settledLeader()
    ask(node, 'a')
    echo(node, 2, new Uint8Array([0, 0, 0, 0, 0, 0, 0, 9]))
    echo(node, 2, bytes('odd'))
    expect(answers(node)).toEqual([])
    const beat = single(only(node.ticks(1), 'heartbeat', 2))
    echo(node, 2, beat.context)
    ask(node, 'b')
    expect(answers(node)).toEqual(['a@1'])
  })

  test('read-batch-and-duplicates: a joint configuration needs both halves', () => {
    const confState = confStateOf({ voters: [1, 2, 3], votersOutgoing: [1, 4, 5] })
    const node = settledLeader({ confState })
    const context = ask(node, 'a')[0]?.context ?? bytes('')
    echo(node, 2, context)
    echo(node, 3, context)
    expect(answers(node)).toEqual([])
    echo(node, 5, context)
    expect(answers(node)).toEqual(['a@1'])
  })

  test('read-learner: a learner asks and is answered', () => {
    const network = new TestNetwork(2, { voters: [1, 2], learners: [3] })
    network.add(3, { voters: [1, 2], learners: [3] })
    network.campaign(1)
    network.node(3).raft.readIndex(bytes('a'))
    network.settle()
    expect(answers(network.node(3))).toEqual(['a@1'])
  })

  test('read-learner: what a learner echoes does not count', () => {
    const node = settledLeader({ voters: [1, 2, 3], learners: [4] })
    const context = ask(node, 'a')[0]?.context ?? bytes('')
    echo(node, 4, context)
    expect(answers(node)).toEqual([])
    echo(node, 3, context)
    expect(answers(node)).toEqual(['a@1'])
  })

  test('read-learner: a single voter with learners answers at once', () => {
    const node = leaderNode({ voters: [1], learners: [2] })
    expect(ask(node, 'a')).toEqual([])
    expect(answers(node)).toEqual(['a@1'])
  })

  test('a leader that was removed does not answer for the single voter that is left', () => {
    const node = leaderNode({ voters: [1, 2] })
    node.take(ack(2, 1, 1))
    node.raft.applyConfChange(change('remove', 1))
    const context = ask(node, 'a')[0]?.context ?? bytes('')
    expect(answers(node)).toEqual([])
    echo(node, 2, context)
    expect(answers(node)).toEqual(['a@1'])
  })

  test('a read that waits for a voter who is then removed is answered', () => {
    const node = settledLeader()
    const context = ask(node, 'a')[0]?.context ?? bytes('')
    expect(context).toHaveLength(8)
    node.raft.applyConfChange(change('remove', 3))
    node.raft.applyConfChange(change('remove', 2))
    node.drain()
    expect(answers(node)).toEqual(['a@1'])
  })

  test('read-deposed-leader: a deposed leader never answers with an index that others have passed', () => {
    const network = new TestNetwork(3)
    network.campaign(1)
    network.isolate(1)
    network.campaign(2)
    network.propose(2, 'new')
    expect(network.node(2).raft.commit).toBe(3)
    // Node 1 still believes that it leads.
    network.node(1).raft.readIndex(bytes('stale'))
    network.tick(2, [1])
    expect(answers(network.node(1))).toEqual([])
    network.recover()
    network.tick(2)
    expect(network.node(1).raft.role).toBe('follower')
    expect(answers(network.node(1))).toEqual([])
    network.node(1).raft.readIndex(bytes('again'))
    network.settle()
    expect(answers(network.node(1))).toEqual(['again@3'])
  })

  test('read-deposed-leader: a read that a follower sent to it is passed on to the new leader', () => {
    const network = new TestNetwork(3)
    network.campaign(1)
    network.campaign(2)
    network.propose(2, 'new')
    const stale = message('readIndex', [3, 1], { term: 0, context: bytes('a') })
    network.send(stale)
    expect(answers(network.node(3))).toEqual(['a@3'])
  })

  test('read-lease: a leader within its lease answers at once, and not after it', () => {
    const node = settledLeader({ checksQuorum: true, readMode: 'lease' })
    expect(ask(node, 'a')).toEqual([])
    expect(answers(node)).toEqual(['a@1'])
    node.ticks(2 * electionTicks)
    expect(node.raft.role).toBe('follower')
    expect(node.raft.readIndex(bytes('b'))).toBe('noLeader')
    expect(answers(node)).toEqual(['a@1'])
  })

  test('the planted bug answers without a quorum', () => {
    const node = settledLeader({
      plantedBugs: { ...noPlantedBugs, answersReadWithoutQuorum: true },
    })
    ask(node, 'a')
    expect(answers(node)).toEqual(['a@1'])
  })
})
