/** The log, its unstable tail, and how a follower's log becomes the leader's (sections 5.3 and 5.4.2 of the Raft paper). */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { InvariantViolation } from '../../../../src/core/base/assert.ts'
import { entriesSizeBytes } from '../../../../src/core/raft/entry-size.ts'
import { MemoryLogStorage } from '../../../../src/core/raft/memory-log-storage.ts'
import type { Entry, Message } from '../../../../src/core/raft/message.ts'
import { noPlantedBugs } from '../../../../src/core/raft/planted-bugs.ts'
import { RaftLog } from '../../../../src/core/raft/raft-log.ts'
import { UnstableLog } from '../../../../src/core/raft/unstable-log.ts'
import {
  ack,
  bytes,
  confStateOf,
  entriesOfTerms,
  entryAt,
  id,
  leaderNode,
  message,
  only,
  single,
  snapshotAt,
  TestNode,
} from './raft-fixture.ts'
import { TestNetwork } from './raft-network.ts'

interface AppendParts {
  readonly term?: number
  readonly after: readonly [term: number, index: number]
  readonly entries?: readonly Entry[]
  readonly commit?: number
}

function append(parts: AppendParts): Message {
  const [previousTerm, previousIndex] = parts.after
  const { term = 3, entries = [], commit = 0 } = parts
  return message('append', [2, 1], { term, previousTerm, previousIndex, entries, commit })
}

function answer(node: TestNode, parts: AppendParts) {
  return single(only(node.take(append(parts)), 'appendResponse'))
}

function termsOf(entries: readonly Entry[] | string): string[] {
  return typeof entries === 'string'
    ? [entries]
    : entries.map((entry) => `${entry.term}:${entry.index}`)
}

describe('replicated log', () => {
  test('figure-7: the logs of figure 7 converge under one leader, with at most one probe for each term', () => {
    const logs = {
      leader: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6],
      a: [1, 1, 1, 4, 4, 5, 5, 6, 6],
      b: [1, 1, 1, 4],
      c: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
      d: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
      e: [1, 1, 1, 4, 4, 4, 4],
      f: [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
    }
    const special = Object.fromEntries(
      Object.values(logs).map((logTerms, position) => [position + 1, { logTerms }]),
    )
    const hardState = { term: 7 }
    const network = new TestNetwork(7, { hardState }, special)
    network.campaign(1)
    expect(network.isLedBy(1)).toBe(true)
    for (const log of network.logs()) expect(log).toEqual(network.logs()[0])
    for (const follower of [2, 3, 4, 5, 6, 7]) {
      const answers = only(network.delivered, 'appendResponse', 1).filter(
        (response) => response.from === id(follower) && response.isRejected,
      )
      const terms = new Set([...logs.leader, ...(Object.values(logs)[follower - 1] ?? [])])
      expect(answers.length).toBeLessThanOrEqual(terms.size)
    }
  })

  test('figure-8: an entry of an old term on a majority is not committed by count', () => {
    // (c) of the figure: node 1 leads term 4, the entry of term 2 at index 2 is on nodes 1, 2 and 3 of five.
    const node = leaderNode({
      voters: [1, 2, 3, 4, 5],
      logTerms: [1, 2],
      hardState: { term: 3, commit: 1 },
    })
    expect(node.raft).toMatchObject({ term: 4, commit: 1, lastIndex: 3 })
    node.take(ack(2, 4, 2))
    node.take(ack(3, 4, 2))
    expect(node.raft.commit).toBe(1)
    // (e): an entry of term 4 reaches a majority, and the older one is committed along with it.
    node.take(ack(2, 4, 3))
    expect(node.raft.commit).toBe(1)
    node.take(ack(3, 4, 3))
    expect(node.raft.commit).toBe(3)
  })

  test('figure-8: the planted bug commits the older entry by count', () => {
    const node = leaderNode({
      voters: [1, 2, 3, 4, 5],
      logTerms: [1, 2],
      hardState: { term: 3, commit: 1 },
      plantedBugs: { ...noPlantedBugs, commitsOlderTermByCount: true },
    })
    node.take(ack(2, 4, 2))
    node.take(ack(3, 4, 2))
    expect(node.raft.commit).toBe(2)
  })

  test('append-duplicate-reorder: repeated, reordered and late appends never shorten the log', () => {
    const all = entriesOfTerms([1, 1, 2, 3, 3, 3])
    const sent = [1, 2, 3, 4, 5, 6].flatMap((from) =>
      [0, 1, 3].map((count): AppendParts => ({
        after: [all[from - 2]?.term ?? 0, from - 1],
        entries: all.slice(from - 1, from - 1 + count),
        commit: Math.max(0, from - 3),
      })),
    )
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...sent), { maxLength: 40 }), (order) => {
        const node = new TestNode(1)
        let acknowledged = 0
        for (const parts of order) {
          for (const response of only(node.take(append(parts)), 'appendResponse')) {
            if (!response.isRejected) acknowledged = Math.max(acknowledged, response.index)
          }
          expect(node.raft.lastIndex).toBeGreaterThanOrEqual(acknowledged)
          const expected = termsOf(all.slice(0, node.raft.lastIndex))
          expect(node.log()).toEqual(expected)
        }
      }),
      { numRuns: 200 },
    )
  })

  test('append-below-commit: an append below the commit index is answered with it', () => {
    const node = new TestNode(1, { logTerms: [1, 1, 1], hardState: { term: 1, commit: 3 } })
    node.drain()
    const response = answer(node, { after: [1, 1], entries: entriesOfTerms([1, 2], 2) })
    expect(response).toMatchObject({ index: 3, isRejected: false })
    expect(node.log()).toEqual(['1:1', '1:2', '1:3'])
  })

  test('append-below-commit: an append that contradicts a committed entry ends the process', () => {
    const log = new RaftLog(new MemoryLogStorage(), 1_000)
    log.takeFromLeader(entriesOfTerms([1, 1, 1]))
    log.commitTo(2)
    expect(() => {
      log.takeFromLeader(entriesOfTerms([2], 2))
    }).toThrow(InvariantViolation)
    log.takeFromLeader(entriesOfTerms([2], 3))
    expect(log.lastTerm()).toBe(2)
  })

  test('heartbeat-commit-clip: the commit index of a heartbeat is clipped to what the peer holds', () => {
    const node = leaderNode()
    node.take(ack(2, 1, 1))
    node.raft.propose([bytes('x')])
    node.drain()
    node.take(ack(2, 1, 2))
    expect(node.raft.commit).toBe(2)
    const heartbeats = only(node.ticks(1), 'heartbeat')
    const commits = heartbeats.map(({ to, commit }) => [to, commit])
    expect(commits).toEqual([
      [id(2), 2],
      [id(3), 0],
    ])
  })

  test('heartbeat-commit-clip: a commit index beyond the log ends the process', () => {
    const node = new TestNode(1, { logTerms: [1] })
    const beat = message('heartbeat', [2, 1], { term: 1, commit: 2, context: bytes('') })
    expect(() => node.raft.step(beat)).toThrow('damaged, truncated or lost')
    // An append commits no further than it reaches.
    const other = new TestNode(1, { logTerms: [1, 1, 1] })
    other.take(append({ after: [1, 1], commit: 3 }))
    expect(other.raft.commit).toBe(1)
  })

  test.each([
    { tail: 'shorter', own: [1, 1], after: [2, 5], hint: [1, 2] },
    { tail: 'longer', own: [1, 1, 1, 1, 1, 1], after: [2, 4], hint: [1, 4] },
    { tail: 'of higher terms', own: [1, 1, 3, 3, 3], after: [2, 5], hint: [1, 2] },
    { tail: 'of lower terms', own: [1, 1, 1, 1, 1], after: [3, 5], hint: [1, 5] },
    { tail: 'missing', own: [], after: [2, 5], hint: [0, 0] },
  ] as const)(
    'reject-hints: the hint of a follower whose tail is $tail',
    ({ own, after, hint }) => {
      const node = new TestNode(1, { logTerms: [...own] })
      const response = answer(node, { after })
      expect(response).toMatchObject({ isRejected: true, index: after[1] })
      expect([response.hintTerm, response.rejectHint]).toEqual(hint)
    },
  )

  test.each([
    { follower: [1, 1, 1], leader: [1, 1, 1, 2, 2, 2] },
    { follower: [1, 1, 1, 1, 1, 1, 1, 1], leader: [1, 1, 1, 2, 2, 2] },
    { follower: [1, 3, 3, 3, 3], leader: [1, 2, 2, 4, 4] },
    { follower: [1, 1, 1, 1, 1], leader: [1, 2, 3, 4, 5] },
    { follower: [], leader: [1, 2, 2, 3] },
  ])('reject-hints: a leader at $leader brings $follower along in few probes', (row) => {
    const network = new TestNetwork(
      3,
      { logTerms: row.leader, hardState: { term: 5 } },
      { 2: { logTerms: row.follower, hardState: { term: 5 } } },
    )
    network.campaign(1)
    expect(network.logs()[1]).toEqual(network.logs()[0])
    const rejected = only(network.delivered, 'appendResponse').filter((each) => each.isRejected)
    expect(rejected.length).toBeLessThanOrEqual(3)
  })

  test('append-aba: a write that was overtaken does not make the entries stable that replaced it', () => {
    const node = new TestNode(1)
    node.raft.step(append({ term: 1, after: [0, 0], entries: entriesOfTerms([1, 1]) }))
    const first = node.raft.ready()
    expect(termsOf(first.entries)).toEqual(['1:1', '1:2'])
    // Overwritten by term 2, then by term 3, which brings back the very entry of term 1 and another one behind it.
    node.raft.step(append({ term: 2, after: [0, 0], entries: entriesOfTerms([2, 2]) }))
    const replacement = [entryAt(1, 1), entryAt(2, 3)]
    node.raft.step(append({ term: 3, after: [0, 0], entries: replacement }))
    node.persist(first)
    node.raft.advance()
    // Nothing is taken for stable: the next Ready writes all of it.
    const second = node.raft.ready()
    expect(termsOf(second.entries)).toEqual(['1:1', '3:2'])
    expect(single(only(second.messagesAfterPersist.slice(-1), 'appendResponse'))).toMatchObject({
      term: 3,
      index: 2,
    })
    node.persist(second)
    node.raft.advance()
    expect(node.log()).toEqual(['1:1', '3:2'])
    expect(node.raft.hasReady()).toBe(false)
  })

  test('append-aba: entries whose acknowledgement was ignored become stable with the next Ready', () => {
    const node = new TestNode(1)
    node.raft.step(append({ term: 1, after: [0, 0], entries: entriesOfTerms([1, 1]) }))
    const first = node.raft.ready()
    node.raft.step(message('heartbeat', [3, 1], { term: 2, commit: 0, context: bytes('') }))
    node.persist(first)
    node.raft.advance()
    const second = node.raft.ready()
    // Not written a second time, but covered by the acknowledgement.
    expect(second.entries).toEqual([])
    node.persist(second)
    node.raft.advance()
    node.raft.step(append({ term: 2, after: [1, 2], entries: entriesOfTerms([2], 3) }))
    expect(termsOf(node.raft.ready().entries)).toEqual(['2:3'])
  })

  test('empty-entry-never-dropped: each term begins with an empty entry, whatever is uncommitted', () => {
    const node = leaderNode({ uncommittedSizeBytesMax: 4 })
    expect(node.raft.propose([bytes('1234567')])).toBe('accepted')
    expect(node.raft.propose([bytes('1')])).toBe('tooMuchUncommitted')
    expect(node.raft.propose([bytes('')])).toBe('accepted')
    expect(node.raft.lastIndex).toBe(3)
    // Deposed and elected again, with the tail uncommitted.
    node.take(message('heartbeat', [2, 1], { term: 2, commit: 0, context: bytes('') }))
    node.raft.campaign()
    node.drain()
    node.take(message('voteResponse', [3, 1], { term: 3, isRejected: false }))
    expect(node.raft.role).toBe('leader')
    expect(node.log()).toEqual(['1:1', '1:2', '1:3', '3:4'])
  })

  test('proposal-paths: a follower passes a proposal on to the leader', () => {
    const network = new TestNetwork(3)
    network.campaign(1)
    expect(network.propose(2, 'via follower')).toBe('accepted')
    for (const node of network.nodes.values()) expect(node.appliedTexts()).toEqual(['via follower'])
  })

  test('proposal-paths: without a leader, while campaigning, while transferring and without forwarding', () => {
    const network = new TestNetwork(3, { forwardsProposals: false })
    expect(network.propose(1)).toBe('noLeader')
    network.node(2).raft.campaign()
    expect(network.node(2).raft.propose([bytes('x')])).toBe('noLeader')
    network.settle()
    expect(network.propose(1)).toBe('forwardingDisabled')
    network.isolate(1)
    network.node(2).raft.propose([bytes('x')])
    network.node(2).raft.transferLeader(id(1))
    expect(network.propose(2)).toBe('transferring')
    for (const node of network.nodes.values()) expect(node.appliedTexts().length).toBeLessThan(2)
  })

  test('proposal-paths: a leader that was removed takes none', () => {
    const node = leaderNode()
    node.raft.applyConfChange({ transition: 'auto', changes: [{ action: 'remove', node: id(1) }] })
    expect(node.raft.role).toBe('leader')
    expect(node.raft.propose([bytes('x')])).toBe('notMember')
  })

  test.each([
    { what: 'a gap', entries: [entryAt(2, 1), entryAt(4, 1)] },
    { what: 'another place', entries: [entryAt(3, 1)] },
    { what: 'falling terms', entries: [entryAt(2, 2), entryAt(3, 1)] },
    { what: 'a term of the future', entries: [entryAt(2, 9)] },
  ])('an append whose entries have $what is ignored', ({ entries }) => {
    const node = new TestNode(1, { logTerms: [1], hardState: { term: 3 } })
    expect(node.take(append({ after: [1, 1], entries })).length).toBe(0)
    expect(node.log()).toEqual(['1:1'])
  })
})

describe('UnstableLog', () => {
  function unstableOf(terms: readonly number[], inProgress = 0): UnstableLog {
    const log = new UnstableLog(5)
    log.truncateAndAppend(entriesOfTerms(terms, 5))
    if (inProgress > 0) {
      log.acceptInProgress()
      log.offsetInProgress = 5 + inProgress
    }
    return log
  }

  function shape(log: UnstableLog): unknown {
    const last = (log.lastIndex() ?? log.offset - 1) + 1
    return {
      offset: log.offset,
      inProgress: log.offsetInProgress,
      terms: termsOf(log.slice(log.offset, last)),
    }
  }

  test.each([
    { what: 'the whole', stable: [6, 1], offset: 7, inProgress: 7, left: [] },
    { what: 'a part', stable: [5, 1], offset: 6, inProgress: 7, left: ['1:6'] },
    { what: 'another term', stable: [6, 2], offset: 5, inProgress: 7, left: ['1:5', '1:6'] },
    { what: 'something older', stable: [4, 1], offset: 5, inProgress: 7, left: ['1:5', '1:6'] },
    { what: 'something absent', stable: [7, 1], offset: 5, inProgress: 7, left: ['1:5', '1:6'] },
  ] as const)('unstable-log: $what becomes stable', ({ stable, offset, inProgress, left }) => {
    const log = unstableOf([1, 1], 2)
    log.stableTo(stable[0], stable[1])
    expect(shape(log)).toEqual({ offset, inProgress, terms: left })
  })

  test.each([
    {
      what: 'behind the end',
      from: 8,
      offset: 5,
      inProgress: 7,
      all: ['1:5', '1:6', '1:7', '2:8'],
    },
    { what: 'at the start', from: 5, offset: 5, inProgress: 5, all: ['2:5'] },
    { what: 'before the start', from: 4, offset: 4, inProgress: 4, all: ['2:4'] },
    { what: 'inside what is in progress', from: 6, offset: 5, inProgress: 6, all: ['1:5', '2:6'] },
    {
      what: 'behind what is in progress',
      from: 7,
      offset: 5,
      inProgress: 7,
      all: ['1:5', '1:6', '2:7'],
    },
  ])('unstable-log: new entries $what', ({ from, offset, inProgress, all }) => {
    const log = unstableOf([1, 1, 1], 2)
    log.truncateAndAppend(entriesOfTerms([2], from))
    expect(shape(log)).toEqual({ offset, inProgress, terms: all })
  })

  test('unstable-log: an array that was handed out never changes', () => {
    const log = unstableOf([1, 1, 1])
    const handedOut = log.nextEntries()
    const sliced = log.slice(5, 8)
    log.acceptInProgress()
    log.push(entryAt(8, 1))
    log.truncateAndAppend(entriesOfTerms([2, 2, 2], 6))
    log.stableTo(6, 2)
    expect(termsOf(handedOut)).toEqual(['1:5', '1:6', '1:7'])
    expect(termsOf(sliced)).toEqual(['1:5', '1:6', '1:7'])
    expect(shape(log)).toMatchObject({ offset: 7, terms: ['2:7', '2:8'] })
  })

  test('unstable-log: a snapshot replaces everything, entries follow it, and only its own index makes it stable', () => {
    const log = unstableOf([1, 1, 1], 2)
    const confState = confStateOf({ voters: [1] })
    log.restore(snapshotAt(20, 2, confState))
    expect([log.firstIndex(), log.lastIndex(), log.term(20), log.term(7)]).toEqual([
      21,
      20,
      2,
      undefined,
    ])
    log.truncateAndAppend(entriesOfTerms([2], 21))
    expect(log.nextSnapshot()?.metadata.index).toBe(20)
    log.acceptInProgress()
    expect(log.nextSnapshot()).toBeUndefined()
    expect(log.hasNextEntries()).toBe(false)
    log.stableSnapshotTo(19)
    expect(log.snapshot).toBeDefined()
    log.restore(snapshotAt(30, 2, confState))
    log.stableSnapshotTo(20)
    expect(log.nextSnapshot()?.metadata.index).toBe(30)
    log.stableSnapshotTo(30)
    expect([log.snapshot, log.firstIndex()]).toEqual([undefined, undefined])
  })
})

describe('RaftLog', () => {
  /** Entries 3 to 6 in storage behind a compaction at 2, entries 7 to 10 unstable. */
  function borderLog(): { log: RaftLog; all: Entry[] } {
    const all = entriesOfTerms([1, 1, 1, 2, 2, 2, 3, 3, 3, 3])
    const storage = new MemoryLogStorage()
    storage.append(all.slice(0, 6))
    storage.compact(2)
    const log = new RaftLog(storage, 1_000)
    log.takeFromLeader(all.slice(6))
    return { log, all }
  }

  test('slice-limits: ranges outside of the log are answered, not thrown', () => {
    const { log } = borderLog()
    const sizeBytesMax = 1_000
    expect(log.slice({ low: 2, high: 5, sizeBytesMax })).toBe('compacted')
    expect(log.slice({ low: 3, high: 12, sizeBytesMax })).toBe('unavailable')
    expect(log.slice({ low: 5, high: 5, sizeBytesMax })).toEqual([])
    expect([log.term(1), log.term(2), log.term(10), log.term(11)]).toEqual([
      'compacted',
      1,
      3,
      'unavailable',
    ])
  })

  test('slice-limits: any range with any limit is the longest fitting beginning, of one entry at least', () => {
    const { log, all } = borderLog()
    const ranges = fc
      .tuple(fc.integer({ min: 3, max: 10 }), fc.integer({ min: 1, max: 8 }))
      .map(([low, count]) => ({ low, high: Math.min(low + count, 11) }))
    fc.assert(
      fc.property(ranges, fc.integer({ min: 0, max: 300 }), ({ low, high }, sizeBytesMax) => {
        const whole = all.slice(low - 1, high - 1)
        let count = whole.length
        while (count > 1 && entriesSizeBytes(whole.slice(0, count)) > sizeBytesMax) count--
        const found = log.slice({ low, high, sizeBytesMax })
        expect(termsOf(found)).toEqual(termsOf(whole.slice(0, count)))
      }),
      { numRuns: 500 },
    )
  })

  test('findConflictByTerm goes to the first entry of a term that is not later', () => {
    const { log } = borderLog()
    const found = [
      log.findConflictByTerm(10, 3),
      log.findConflictByTerm(10, 2),
      log.findConflictByTerm(10, 1),
      log.findConflictByTerm(10, 0),
    ]
    expect(found.map(({ index, term }) => [index, term])).toEqual([
      [10, 3],
      [6, 2],
      [3, 1],
      [1, 0],
    ])
  })

  test('a log whose commit index lies beyond its entries is refused at the start', () => {
    const start = () => new TestNode(1, { logTerms: [1], hardState: { term: 1, commit: 2 } })
    expect(start).toThrow('damaged, truncated or lost')
  })
})
