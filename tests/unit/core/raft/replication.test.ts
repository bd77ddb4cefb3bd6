/** Flow control: what a leader sends to a peer, and what it holds back. */
import { describe, expect, test } from 'vitest'
import { Inflights } from '../../../../src/core/raft/inflights.ts'
import type { Message } from '../../../../src/core/raft/message.ts'
import { Progress } from '../../../../src/core/raft/progress.ts'
import {
  ack,
  bytes,
  electionTicks,
  entriesOfTerms,
  id,
  leaderNode,
  message,
  only,
  TestNode,
  text,
} from './raft-fixture.ts'
import { TestNetwork } from './raft-network.ts'

function propose(node: TestNode, data = 'x'): Message[] {
  expect(node.raft.propose([bytes(data)])).toBe('accepted')
  return node.drain()
}

function beatAnswer(from: number, term = 1): Message {
  return message('heartbeatResponse', [from, 1], { term, context: new Uint8Array(0) })
}

function peer(node: TestNode, of: number) {
  const found = node.raft.status().progress.get(id(of))
  if (found === undefined) throw new Error('no such peer')
  return found
}

/** First and last index of the entries of each append to node 2; empty ones as the index before them. */
function appendsTo2(messages: readonly Message[]): string[] {
  return only(messages, 'append', 2).map(({ previousIndex, entries }) =>
    entries.length === 0
      ? `after ${previousIndex}`
      : `${previousIndex + 1}-${previousIndex + entries.length}`,
  )
}

describe('flow control', () => {
  test('probe-and-replicate: a probed peer gets one append for each heartbeat', () => {
    const node = leaderNode()
    // The entry of the new term is the probe; what is proposed meanwhile waits.
    expect(peer(node, 2)).toMatchObject({ state: 'probe', isPaused: true, next: 1 })
    for (let round = 0; round < 3; round++) {
      expect(appendsTo2(propose(node))).toEqual([])
      expect(appendsTo2(node.ticks(1))).toEqual([])
      const sent = appendsTo2(node.take(beatAnswer(2)))
      expect(sent).toEqual([`1-${2 + 2 * round}`])
      expect(appendsTo2(propose(node))).toEqual([])
      node.take(beatAnswer(3))
      node.raft.step(ack(3, 1, 1))
      node.drain()
    }
  })

  test('probe-and-replicate: a replicating peer gets appends up to the window, then only empty ones', () => {
    const node = leaderNode({ inflightMessagesMax: 3 })
    expect(appendsTo2(node.take(ack(2, 1, 1)))).toEqual(['after 1'])
    const sent = [1, 2, 3, 4, 5].map(() => appendsTo2(propose(node)))
    expect(sent).toEqual([['2-2'], ['3-3'], ['4-4'], [], []])
    expect(peer(node, 2)).toMatchObject({ state: 'replicate', isPaused: true, match: 1, next: 5 })
    expect(appendsTo2(node.take(beatAnswer(2)))).toEqual(['after 4'])
    expect(peer(node, 2).isPaused).toBe(true)
    // What had to wait leaves together.
    expect(appendsTo2(node.take(ack(2, 1, 2)))).toEqual(['5-6'])
  })

  test('probe-and-replicate: proposals that gather between two Readys leave in one append', () => {
    const node = leaderNode()
    node.take(ack(2, 1, 1))
    for (let count = 0; count < 100; count++) node.raft.propose([bytes('x')])
    expect(appendsTo2(node.drain())).toEqual(['2-101'])
  })

  test('probe-and-replicate: appends are split at the size limit, one entry at least', () => {
    const node = leaderNode({ appendSizeBytesMax: 100 })
    node.take(ack(2, 1, 1))
    node.raft.propose([30, 30, 200, 10].map((size) => bytes('x'.repeat(size))))
    expect(appendsTo2(node.drain())).toEqual(['2-2', '3-3', '4-4', '5-5'])
    node.raft.propose([10, 10, 10, 10].map((size) => bytes('x'.repeat(size))))
    expect(appendsTo2(node.drain())).toEqual(['6-7', '8-9'])
  })

  test('inflight-window: acknowledgements in the middle free it, those below it change nothing', () => {
    const node = leaderNode({ inflightMessagesMax: 4 })
    node.take(ack(2, 1, 1))
    for (let count = 0; count < 4; count++) propose(node)
    expect(peer(node, 2).isPaused).toBe(true)
    // Nothing is left to send but the commit index.
    expect(appendsTo2(node.take(ack(2, 1, 3)))).toEqual(['after 5'])
    expect(peer(node, 2)).toMatchObject({ isPaused: false, match: 3, next: 6 })
    expect(appendsTo2(propose(node))).toEqual(['6-6'])
    expect(appendsTo2(propose(node))).toEqual(['7-7'])
    expect(appendsTo2(propose(node))).toEqual([])
    // Late ones, of what was freed long ago.
    for (const index of [1, 2, 3]) expect(appendsTo2(node.take(ack(2, 1, index)))).toEqual([])
    expect(peer(node, 2)).toMatchObject({ isPaused: true, match: 3 })
    expect(appendsTo2(node.take(ack(2, 1, 7)))).toEqual(['8-8'])
  })

  test('inflight-window: it heals after all of its messages are lost', () => {
    const network = new TestNetwork(3, { inflightMessagesMax: 2 })
    network.campaign(1)
    network.ignore('append')
    for (let count = 0; count < 5; count++) network.propose(1, `lost ${count}`)
    expect(peer(network.node(1), 2)).toMatchObject({ isPaused: true, match: 1, next: 4 })
    network.recover()
    network.tick(2)
    for (const log of network.logs()) expect(log).toHaveLength(6)
    expect(network.node(2).appliedTexts()).toEqual([0, 1, 2, 3, 4].map((each) => `lost ${each}`))
  })

  test('unreachable-heals: a replicating peer is probed, and heals by a heartbeat', () => {
    const network = new TestNetwork(3)
    network.campaign(1)
    const leader = network.node(1)
    network.cut(1, 2)
    network.propose(1, 'lost')
    expect(peer(leader, 2)).toMatchObject({ state: 'replicate', match: 1, next: 3 })
    leader.raft.reportUnreachable(id(2))
    expect(peer(leader, 2)).toMatchObject({ state: 'probe', next: 2 })
    network.recover()
    network.tick(1)
    expect(peer(leader, 2)).toMatchObject({ state: 'replicate', match: 2, next: 3 })
  })

  test('unreachable-heals: also when the peer has everything', () => {
    const network = new TestNetwork(3)
    network.campaign(1)
    network.propose(1)
    const leader = network.node(1)
    leader.raft.reportUnreachable(id(2))
    expect(peer(leader, 2)).toMatchObject({ state: 'probe', match: 2, next: 3 })
    network.tick(1)
    expect(peer(leader, 2)).toMatchObject({ state: 'replicate', match: 2 })
  })

  test('inflight-bytes: the append that crosses the byte limit is admitted, the next one is not', () => {
    const node = leaderNode({ inflightSizeBytesMax: 100, appendSizeBytesMax: 100 })
    node.take(ack(2, 1, 1))
    const sent = ['x'.repeat(60), 'y'.repeat(60), 'z'].map((data) =>
      appendsTo2(propose(node, data)),
    )
    expect(sent).toEqual([['2-2'], ['3-3'], []])
    expect(appendsTo2(node.take(ack(2, 1, 2)))).toEqual(['4-4'])
  })

  test('inflight-bytes: the window counts what it holds, however often it goes round', () => {
    const window = new Inflights({ countMax: 20, sizeBytesMax: 0 })
    let last = 0
    for (let round = 0; round < 10; round++) {
      while (!window.isFull()) window.add(++last, last)
      expect(window.count).toBe(20)
      window.freeThrough(last - 13)
      expect(window.count).toBe(13)
      const sizes = Array.from({ length: 13 }, (_, back) => last - back)
      expect(window.sizeBytes).toBe(sizes.reduce((sum, size) => sum + size, 0))
    }
    expect(() => {
      window.add(last, 1)
    }).toThrow('log order')
    window.clear()
    expect([window.count, window.sizeBytes]).toEqual([0, 0])
  })

  test('commit-pagination: committed entries are handed out in pages', () => {
    const node = new TestNode(1, { committedSizeBytesMax: 120 })
    const entries = entriesOfTerms([1, 1, 1, 1, 1, 1, 1, 1, 1, 1])
    node.raft.step(
      message('append', [2, 1], {
        term: 1,
        previousIndex: 0,
        previousTerm: 0,
        entries,
        commit: 10,
      }),
    )
    const pages: number[][] = []
    while (node.raft.hasReady()) {
      const ready = node.raft.ready()
      pages.push(ready.committedEntries.map((entry) => entry.index))
      node.persist(ready)
      // What is proposed or appended while a page is applied does not enlarge it.
      expect(node.raft.commit).toBe(10)
      node.apply(ready)
      node.raft.advance()
    }
    expect(pages.flat()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    expect(Math.max(...pages.map((page) => page.length))).toBe(4)
  })

  test('commit-pagination: also after a restart with much to apply', () => {
    const logTerms = Array.from({ length: 50 }, () => 1)
    const node = new TestNode(1, {
      logTerms,
      hardState: { term: 1, commit: 50 },
      committedSizeBytesMax: 300,
    })
    const first = node.raft.ready()
    expect(first.committedEntries.length).toBeLessThan(12)
    node.apply(first)
    node.raft.advance()
    node.drain()
    expect(node.applied.map((entry) => entry.index)).toEqual(logTerms.map((_, index) => index + 1))
  })

  test('commit-pagination: entries committed while a page is being applied come with the next one', () => {
    const node = leaderNode({ voters: [1], committedSizeBytesMax: 60 })
    node.raft.propose(['a', 'b', 'c', 'd'].map(bytes))
    const written = node.raft.ready()
    node.persist(written)
    node.raft.advance()
    const first = node.raft.ready()
    node.raft.propose([bytes('e')])
    node.apply(first)
    node.raft.advance()
    node.drain()
    expect(first.committedEntries.map((entry) => text(entry.data))).toEqual(['a', 'b'])
    expect(node.appliedTexts()).toEqual(['a', 'b', 'c', 'd', 'e'])
  })

  test('bounded-uncommitted: proposals are dropped once too much is uncommitted, and taken again after the heal', () => {
    const network = new TestNetwork(3, { uncommittedSizeBytesMax: 64 })
    network.campaign(1)
    network.isolate(1)
    const outcomes = Array.from({ length: 20 }, () => network.propose(1, 'x'.repeat(10)))
    expect(outcomes.filter((outcome) => outcome === 'accepted')).toHaveLength(6)
    expect(outcomes.slice(6).every((outcome) => outcome === 'tooMuchUncommitted')).toBe(true)
    network.recover()
    network.tick(1)
    expect(network.node(3).appliedTexts()).toHaveLength(6)
    expect(network.propose(1, 'x'.repeat(64))).toBe('accepted')
    expect(network.node(3).appliedTexts()).toHaveLength(7)
  })

  test('bounded-uncommitted: one proposal of any size is taken when nothing is uncommitted', () => {
    const node = leaderNode({ uncommittedSizeBytesMax: 8 })
    expect(node.raft.propose([bytes('x'.repeat(100))])).toBe('accepted')
  })

  test('an acknowledgement beyond the leader log is ignored', () => {
    const node = leaderNode()
    node.take(ack(2, 1, 77))
    expect(peer(node, 2)).toMatchObject({ match: 0, state: 'probe' })
    expect(node.raft.commit).toBe(0)
  })

  test('a refusal that arrives late does not send the leader back', () => {
    const node = leaderNode({ logTerms: [1, 1, 1], hardState: { term: 1 } })
    const reject = (index: number, rejectHint: number): Message =>
      message('appendResponse', [2, 1], {
        term: 2,
        index,
        isRejected: true,
        rejectHint,
        hintTerm: 0,
      })
    expect(appendsTo2(node.take(reject(3, 1)))).toEqual(['2-4'])
    expect(appendsTo2(node.take(reject(3, 0)))).toEqual([])
    expect(appendsTo2(node.take(ack(2, 2, 4)))).toEqual(['after 4'])
    expect(appendsTo2(node.take(reject(1, 0)))).toEqual([])
    expect(peer(node, 2)).toMatchObject({ state: 'replicate', match: 4, next: 5 })
  })

  test('a peer keeps match below next through any course of events', () => {
    const progress = new Progress(
      { next: 5, isLearner: false, isRecentlyActive: true },
      { countMax: 4, sizeBytesMax: 0 },
    )
    expect(progress.retreat(4, 9)).toBe(true)
    expect(progress.next).toBe(4)
    expect(progress.acknowledge(3)).toBe(true)
    expect([progress.match, progress.next]).toEqual([3, 4])
    expect(progress.retreat(3, 0)).toBe(true)
    expect([progress.match, progress.next]).toEqual([3, 4])
    progress.becomeSnapshot(10)
    expect([progress.isPaused(), progress.next]).toEqual([true, 11])
    progress.becomeProbe()
    expect(progress.next).toBe(11)
    progress.becomeReplicate()
    expect(progress.next).toBe(4)
  })

  test('a new leader brings a lagging peer along without waiting for an election timeout', () => {
    const network = new TestNetwork(
      3,
      { logTerms: [1, 1], hardState: { term: 1 } },
      { 3: { logTerms: [] } },
    )
    network.campaign(1)
    network.tick(1)
    expect(network.logs()[2]).toEqual(['1:1', '1:2', '2:3'])
    network.tick(electionTicks)
    expect(network.isLedBy(1)).toBe(true)
  })
})
