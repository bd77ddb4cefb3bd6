/** What a node asks its host to do, and in which order. */
import { describe, expect, test } from 'vitest'
import { noNode } from '../../../../src/core/base/ids.ts'
import {
  describeMessage,
  describeReady,
  describeStatus,
} from '../../../../src/core/raft/describe.ts'
import { MemoryLogStorage } from '../../../../src/core/raft/memory-log-storage.ts'
import { emptyConfState } from '../../../../src/core/raft/conf-change.ts'
import { noPlantedBugs } from '../../../../src/core/raft/planted-bugs.ts'
import {
  ack,
  bytes,
  change,
  confStateOf,
  encodeChange,
  entriesOfTerms,
  id,
  leaderNode,
  message,
  only,
  snapshotAt,
  TestNode,
} from './raft-fixture.ts'
import { TestNetwork } from './raft-network.ts'

const indexes = (entries: readonly { readonly index: number }[]): number[] =>
  entries.map((entry) => entry.index)

describe('restart', () => {
  test('restart: from hard state and entries, the committed ones are handed out and nothing is written', () => {
    const node = new TestNode(1, {
      logTerms: [1, 1, 2],
      hardState: { term: 2, vote: 3, commit: 2 },
    })
    const ready = node.raft.ready()
    expect(indexes(ready.committedEntries)).toEqual([1, 2])
    expect(ready).toMatchObject({
      entries: [],
      hardState: undefined,
      mustSync: false,
      messages: [],
    })
    node.apply(ready)
    node.raft.advance()
    expect(node.raft.hasReady()).toBe(false)
    expect(node.raft.status()).toMatchObject({ role: 'follower', term: 2, vote: id(3), applied: 2 })
  })

  test('restart: from a snapshot and entries behind it', () => {
    const confState = confStateOf({ voters: [1, 2], learners: [3] })
    const node = new TestNode(1, {
      snapshot: snapshotAt(5, 1, confState),
      entries: entriesOfTerms([1, 2, 2], 6),
      hardState: { term: 2, commit: 7 },
    })
    expect(node.raft.confState).toEqual(confState)
    node.drain()
    expect(indexes(node.applied)).toEqual([6, 7])
    expect(node.raft.lastIndex).toBe(8)
  })

  test('restart: what the state machine has applied is not handed out again', () => {
    const node = new TestNode(1, {
      logTerms: [1, 1, 1, 1],
      hardState: { term: 1, commit: 4 },
      applied: 3,
    })
    node.drain()
    expect(indexes(node.applied)).toEqual([4])
  })

  test('restart: what was applied was committed, though the stored commit index does not know', () => {
    const node = new TestNode(1, {
      logTerms: [1, 1, 1, 1],
      hardState: { term: 1, commit: 1 },
      applied: 3,
    })
    expect(node.raft).toMatchObject({ commit: 3, applied: 3 })
    const ready = node.raft.ready()
    expect(ready).toMatchObject({
      hardState: { term: 1, commit: 3 },
      committedEntries: [],
      mustSync: false,
    })
  })

  test('restart: a state machine that lacks entries the log no longer holds is refused', () => {
    const confState = confStateOf({ voters: [1] })
    const start = () => new TestNode(1, { snapshot: snapshotAt(5, 1, confState), applied: 4 })
    expect(start).toThrow('no longer holds')
  })

  test('restart: a cluster goes on after all of its nodes were restarted', () => {
    const network = new TestNetwork(3)
    network.campaign(1)
    network.propose(1, 'before')
    for (const node of network.nodes.values()) node.restart()
    network.campaign(2)
    network.propose(2, 'after')
    for (const node of network.nodes.values()) {
      expect(node.appliedTexts()).toEqual(['before', 'after'])
    }
  })
})

describe('bootstrap', () => {
  const peers = [1, 2, 3].map((node) => ({
    id: id(node),
    data: encodeChange(change('addVoter', node)),
  }))

  test('the first members are committed entries of term 1, voters at once, and applied like all entries', () => {
    const node = new TestNode(1, { confState: emptyConfState })
    node.raft.bootstrap(peers)
    expect(node.raft).toMatchObject({ term: 1, commit: 3, applied: 0, lastIndex: 3 })
    expect(node.raft.confState).toEqual(confStateOf({ voters: [1, 2, 3] }))
    const ready = node.raft.ready()
    expect(ready.hardState).toEqual({ term: 1, vote: noNode, commit: 3 })
    expect(ready.mustSync).toBe(true)
    expect(indexes(ready.entries)).toEqual([1, 2, 3])
    expect(indexes(ready.committedEntries)).toEqual([1, 2, 3])
    node.persist(ready)
    node.apply(ready)
    node.raft.advance()
    expect(node.raft.confState).toEqual(confStateOf({ voters: [1, 2, 3] }))
    node.raft.campaign()
    expect(node.raft).toMatchObject({ role: 'candidate', term: 2 })
  })

  test('three nodes that begin alike make one cluster', () => {
    const network = TestNetwork.begin(3)
    network.tick(40)
    expect(network.roles().filter((role) => role === 'leader')).toHaveLength(1)
    for (const log of network.logs()) expect(log).toEqual(network.logs()[0])
  })

  test('a log that holds something is not begun again', () => {
    const node = new TestNode(1, { logTerms: [1] })
    expect(() => {
      node.raft.bootstrap(peers)
    }).toThrow('empty log')
  })
})

describe('Ready', () => {
  test('persist-before-vouch: an acknowledgement waits for the disk, an append of the leader does not', () => {
    const follower = new TestNode(2)
    const entries = entriesOfTerms([1, 1])
    follower.raft.step(
      message('append', [1, 2], { term: 1, previousIndex: 0, previousTerm: 0, entries, commit: 0 }),
    )
    const ready = follower.raft.ready()
    expect(ready.messages).toEqual([])
    expect(ready.messagesAfterPersist.map(describeMessage)).toEqual(['2→1 term 1 appendResponse 2'])
    expect(ready.mustSync).toBe(true)

    const leader = leaderNode()
    leader.take(ack(2, 1, 1))
    leader.raft.propose([bytes('x')])
    const leading = leader.raft.ready()
    expect(only(leading.messages, 'append', 2)).toHaveLength(1)
    expect(leading.messagesAfterPersist).toEqual([])
    // Its own acknowledgement counts when its disk is done, together with one other.
    leader.raft.step(ack(2, 1, 2))
    expect(leader.raft.commit).toBe(1)
    leader.persist(leading)
    leader.raft.advance()
    expect(leader.raft.commit).toBe(2)
  })

  test('persist-before-vouch: two others commit an entry that the leader itself has not written yet', () => {
    const leader = leaderNode()
    leader.take(ack(2, 1, 1))
    leader.raft.propose([bytes('x')])
    const ready = leader.raft.ready()
    leader.raft.step(ack(2, 1, 2))
    leader.raft.step(ack(3, 1, 2))
    expect(leader.raft.commit).toBe(2)
    // It is handed out for applying only with the next Ready, when it is durable here too.
    expect(ready.committedEntries).toEqual([])
    leader.persist(ready)
    leader.raft.advance()
    expect(indexes(leader.raft.ready().committedEntries)).toEqual([2])
  })

  test('persist-before-vouch: a vote and a pre-vote answer wait too, refusals included', () => {
    for (const kind of ['vote', 'preVote'] as const) {
      for (const lastTerm of [0, 5]) {
        const node = new TestNode(1, { logTerms: [1] })
        node.raft.step(
          message(kind, [2, 1], { term: 5, lastIndex: 3, lastTerm, isTransfer: false }),
        )
        const ready = node.raft.ready()
        expect(ready.messages).toEqual([])
        expect(ready.messagesAfterPersist).toHaveLength(1)
      }
    }
  })

  test('persist-before-vouch: the planted bug sends a vote early and forgets it', () => {
    const node = new TestNode(1, {
      plantedBugs: { ...noPlantedBugs, sendsVoteBeforePersist: true },
    })
    node.raft.step(
      message('vote', [2, 1], { term: 1, lastIndex: 0, lastTerm: 0, isTransfer: false }),
    )
    const ready = node.raft.ready()
    expect(only(ready.messages, 'voteResponse')).toHaveLength(1)
    expect(ready.hardState).toEqual({ term: 1, vote: noNode, commit: 0 })
  })

  test('single-voter-apply-after-persist: an entry of a single voter is handed out only after it was written', () => {
    const node = leaderNode({ voters: [1] })
    node.raft.propose([bytes('x')])
    const first = node.raft.ready()
    expect(indexes(first.entries)).toEqual([2])
    expect(first.committedEntries).toEqual([])
    expect(node.raft.commit).toBe(1)
    // Nothing but the finished write commits it, however long that takes.
    node.raft.tick()
    expect(node.raft.commit).toBe(1)
    node.persist(first)
    node.raft.advance()
    const second = node.raft.ready()
    expect(indexes(second.committedEntries)).toEqual([2])
    expect(second).toMatchObject({ entries: [], mustSync: false })
  })

  test('single-voter-apply-after-persist: a follower gets both in one Ready when the leader says so', () => {
    const node = new TestNode(2)
    const entries = entriesOfTerms([1, 1])
    node.raft.step(
      message('append', [1, 2], { term: 1, previousIndex: 0, previousTerm: 0, entries, commit: 2 }),
    )
    const ready = node.raft.ready()
    expect(indexes(ready.entries)).toEqual([1, 2])
    expect(indexes(ready.committedEntries)).toEqual([1, 2])
    expect(ready.hardState).toMatchObject({ commit: 2 })
    // The host writes first: only then does the disk know what was applied.
    expect(node.storage.lastIndex()).toBe(0)
    node.persist(ready)
    expect(node.storage.lastIndex()).toBe(2)
    node.apply(ready)
    node.raft.advance()
    expect(node.raft.applied).toBe(2)
  })

  test('ready-idle: an idle node has nothing to do', () => {
    const network = new TestNetwork(3)
    for (const node of network.nodes.values()) expect(node.raft.hasReady()).toBe(false)
    network.campaign(1)
    network.propose(1)
    network.node(2).raft.readIndex(bytes('a'))
    network.tick(3)
    for (const node of network.nodes.values()) {
      expect(node.raft.hasReady()).toBe(false)
      node.raft.tick()
    }
    // Heartbeats ask for nothing to be written.
    const ready = network.node(1).raft.ready()
    expect(ready).toMatchObject({ hardState: undefined, entries: [], mustSync: false })
    network.node(1).raft.advance()
    expect(network.node(1).raft.hasReady()).toBe(false)
  })

  test('ready-idle: a commit index alone is written without a sync', () => {
    const network = new TestNetwork(3)
    network.campaign(1)
    network.node(1).raft.propose([bytes('x')])
    network.collect()
    const append = network.pending.splice(0).find((each) => each.to === id(2))
    if (append === undefined) throw new Error('an append was sent')
    network.node(1).raft.step(ack(2, 1, 2))
    const ready = network.node(1).raft.ready()
    expect(ready).toMatchObject({ hardState: { term: 1, vote: id(1), commit: 2 }, mustSync: false })
  })

  test('a second Ready before advance, and advance without a Ready, end the process', () => {
    const node = leaderNode()
    expect(() => {
      node.raft.advance()
    }).toThrow('before it is finished')
    node.raft.propose([bytes('x')])
    node.raft.ready()
    node.raft.propose([bytes('y')])
    expect(node.raft.hasReady()).toBe(true)
    expect(() => node.raft.ready()).toThrow('finished first')
  })

  test('what arrives between ready and advance shows in the next Ready', () => {
    const node = leaderNode({ voters: [1] })
    node.raft.propose([bytes('a')])
    const first = node.raft.ready()
    node.raft.propose([bytes('b')])
    node.raft.propose([bytes('c')])
    node.persist(first)
    node.raft.advance()
    const second = node.raft.ready()
    expect(indexes(second.entries)).toEqual([3, 4])
    expect(indexes(second.committedEntries)).toEqual([2])
  })

  test('nothing that is queued later slips into a Ready that was taken', () => {
    const node = leaderNode()
    node.raft.readIndex(bytes('parked'))
    node.raft.tick()
    const ready = node.raft.ready()
    const counts = () => [
      ready.messages.length,
      ready.messagesAfterPersist.length,
      ready.readStates.length,
      ready.entries.length,
    ]
    const before = counts()
    node.raft.step(ack(2, 1, 1))
    node.raft.tick()
    node.raft.propose([bytes('x')])
    node.raft.step(
      message('vote', [2, 1], { term: 5, lastIndex: 9, lastTerm: 1, isTransfer: false }),
    )
    expect(counts()).toEqual(before)
    node.persist(ready)
    node.raft.advance()
    expect(only(node.raft.ready().messagesAfterPersist, 'voteResponse')).toHaveLength(1)
  })

  test('what a follower was sent in many appends it acknowledges once', () => {
    const node = new TestNode(2)
    for (const index of [1, 2, 3]) {
      node.raft.step(
        message('append', [1, 2], {
          term: 1,
          previousIndex: index - 1,
          previousTerm: index === 1 ? 0 : 1,
          entries: entriesOfTerms([1], index),
          commit: 0,
        }),
      )
    }
    expect(node.drain().map(describeMessage)).toEqual(['2→1 term 1 appendResponse 3'])
  })
})

describe('RaftNode', () => {
  test('options that contradict each other are refused, all problems at once', () => {
    const make = () =>
      new TestNode(1, {
        heartbeatTicks: 0,
        electionTicks: 0,
        readMode: 'lease',
        inflightMessagesMax: 0,
      })
    expect(make).toThrow(RangeError)
    expect(make).toThrow(/heartbeatTicks.*electionTicks.*inflightMessagesMax.*checksQuorum/)
  })

  test('status and Ready can be read as text', () => {
    const node = leaderNode()
    node.take(ack(2, 1, 1))
    node.raft.propose([bytes('x')])
    expect(describeStatus(node.raft.status())).toBe(
      '1 leader of 1 term 1 vote 1 commit 1 applied 1 lastIndex 2 (1 2 3)' +
        ' | 1 replicate match 1 next 2 | 2 replicate match 1 next 2 | 3 probe match 0 next 1 paused',
    )
    expect(describeReady(node.raft.ready())).toBe(
      'persist 1:2 normal 1 B; send 1→2 term 1 append after 1:1 entries 1 commit 1',
    )
  })

  test('a snapshot source of the host takes the place of the stored snapshot', () => {
    const made = snapshotAt(7, 2, emptyConfState)
    expect(new MemoryLogStorage(() => made).snapshot()).toBe(made)
    expect(new MemoryLogStorage(() => 'temporarilyUnavailable').snapshot()).toBe(
      'temporarilyUnavailable',
    )
  })
})
