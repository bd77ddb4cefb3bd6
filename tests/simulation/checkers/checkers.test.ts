/** Each checker fires on the smallest story that breaks its rule, and stays silent on the same story told right. */
import { describe, expect, test } from 'vitest'
import { encodeUint64, metaKeys } from '../../../src/core/backend/buckets.ts'
import { nodeId } from '../../../src/core/base/ids.ts'
import type { Message } from '../../../src/core/raft/message.ts'
import type { LoggedEntry } from '../harness/durable-log.ts'
import { DurableLog } from '../harness/durable-log.ts'
import type { BackendChange } from '../harness/sim-backend.ts'
import { Answered } from './answered.ts'
import { appliedIndexAtomic } from './applied-index-atomic.ts'
import { appliedOnce } from './applied-once.ts'
import type { ObservedNode } from './checker.ts'
import { commitBound } from './commit-bound.ts'
import { CommittedLog } from './committed-log.ts'
import { currentTermCommit } from './current-term-commit.ts'
import { leaderCompleteness } from './leader-completeness.ts'
import { logCoversBackend } from './log-covers-backend.ts'
import { logMatching } from './log-matching.ts'
import { monotonicHardState } from './monotonic-hard-state.ts'
import { checkNoOrphans } from './no-orphan.ts'
import { oneLeaderPerTerm } from './one-leader-per-term.ts'
import { persistBeforeSpeak } from './persist-before-speak.ts'
import { sameApply } from './same-apply.ts'
import { checkStateHashes } from './state-hash.ts'

const ids = [nodeId(1n), nodeId(2n), nodeId(3n)]
const [one, two] = [ids[0]!, ids[1]!]

function reports(): {
  readonly texts: string[]
  readonly report: (checker: string, message: string) => void
} {
  const texts: string[] = []
  return { texts, report: (checker, message) => texts.push(`${checker}: ${message}`) }
}

function threeNodes(): readonly [ObservedNode, ObservedNode, ObservedNode] {
  const make = (position: number): ObservedNode => ({
    id: ids[position]!,
    name: `n${position}`,
    isVoter: true,
    log: new DurableLog(),
    incarnation: 1,
  })
  return [make(0), make(1), make(2)]
}

function entry(index: number, term: number, text = `${index}/${term}`): LoggedEntry {
  const data = new TextEncoder().encode(text)
  return { index, term, type: 0, data, hash: text.length * 31 + index }
}

/** Puts entries on a node's disk. */
function hold(node: ObservedNode, entries: readonly LoggedEntry[]): void {
  for (const held of entries) {
    node.log.entries.set(held.index, held)
    node.log.lastIndex = held.index
  }
}

function noteAll(committed: CommittedLog, entries: readonly LoggedEntry[]): void {
  entries.forEach((held, position) => {
    committed.note(held, entries[position - 1]?.term ?? 0)
  })
}

const heartbeat = (term: number, commit: number): Message => ({
  kind: 'heartbeat',
  from: one,
  to: two,
  term,
  commit,
  context: new Uint8Array(0),
})
const append = (term: number, commit: number): Message & { kind: 'append' } => ({
  kind: 'append',
  from: one,
  to: two,
  term,
  previousIndex: 0,
  previousTerm: 0,
  entries: [],
  commit,
})
const grant = (term: number, to = one): Message => ({
  kind: 'voteResponse',
  from: two,
  to,
  term,
  isRejected: false,
})

function indexChange(index: number, term: number): readonly BackendChange[] {
  return [
    { bucket: 'meta', key: metaKeys.consistentIndex, value: encodeUint64(index) },
    { bucket: 'meta', key: metaKeys.term, value: encodeUint64(term) },
  ]
}

function dataChange(main: number, sub: number): BackendChange {
  const key = new Uint8Array(17)
  key.set(encodeUint64(main), 0)
  key[8] = 0x5f
  key.set(encodeUint64(sub), 9)
  return { bucket: 'key', key, value: new Uint8Array(1) }
}

describe('I1 one leader per term', () => {
  test('two nodes that send heartbeats in one term are reported', () => {
    const { texts, report } = reports()
    const [a, b] = threeNodes()
    const checker = oneLeaderPerTerm(report)
    checker.sent?.(heartbeat(1, 0), a)
    checker.sent?.(heartbeat(2, 0), b)
    expect(texts).toEqual([])
    checker.sent?.(heartbeat(2, 0), a)
    expect(texts).toHaveLength(1)
  })
})

describe('I2 log matching', () => {
  test('one entry with other bytes elsewhere is reported', () => {
    const { texts, report } = reports()
    const [a, b] = threeNodes()
    const checker = logMatching(report)
    checker.logged(entry(1, 1, 'x'), 0, a)
    checker.logged(entry(1, 1, 'x'), 0, b)
    expect(texts).toEqual([])
    checker.logged(entry(1, 1, 'longer'), 0, b)
    expect(texts).toHaveLength(1)
  })

  test('one entry behind another one elsewhere is reported', () => {
    const { texts, report } = reports()
    const [a, b] = threeNodes()
    const checker = logMatching(report)
    checker.logged(entry(2, 3), 1, a)
    checker.logged(entry(2, 3), 2, b)
    expect(texts).toHaveLength(1)
  })

  test('an append whose entries do not follow its previous index is reported', () => {
    const { texts, report } = reports()
    const [a] = threeNodes()
    logMatching(report).sent?.(
      {
        ...append(1, 0),
        entries: [{ index: 5, term: 1, kind: 'normal', data: new Uint8Array(0) }],
      },
      a,
    )
    expect(texts).toHaveLength(1)
  })
})

describe('I3 leader completeness', () => {
  test('a leader without a committed entry is reported', () => {
    const { texts, report } = reports()
    const nodes = threeNodes()
    const committed = new CommittedLog(nodes, report)
    noteAll(committed, [entry(1, 1)])
    hold(nodes[0], [entry(1, 1)])
    hold(nodes[1], [entry(1, 1)])
    committed.noteCommit(1, 1)
    const checker = leaderCompleteness(committed, report)
    checker.sent?.(heartbeat(2, 1), nodes[1])
    expect(texts).toEqual([])
    checker.sent?.(heartbeat(3, 1), nodes[2])
    expect(texts).toHaveLength(1)
  })
})

describe('I4 same apply', () => {
  test('applying another entry than the committed one is reported', () => {
    const { texts, report } = reports()
    const nodes = threeNodes()
    const committed = new CommittedLog(nodes, report)
    noteAll(committed, [entry(1, 1)])
    hold(nodes[0], [entry(1, 1)])
    hold(nodes[1], [entry(1, 1)])
    committed.noteCommit(1, 1)
    hold(nodes[2], [entry(1, 2)])
    const checker = sameApply(committed, report)
    checker.batch?.({ changes: [], indexBefore: 0, indexAfter: 1 }, nodes[0])
    expect(texts).toEqual([])
    checker.batch?.({ changes: [], indexBefore: 0, indexAfter: 1 }, nodes[2])
    expect(texts).toHaveLength(1)
  })
})

describe('I5 monotonic hard state', () => {
  test('a second vote in one term is reported, also in a later life', () => {
    const { texts, report } = reports()
    const [, b] = threeNodes()
    const checker = monotonicHardState(report)
    checker.sent?.(grant(2, one), b)
    checker.sent?.(grant(2, one), b)
    expect(texts).toEqual([])
    b.incarnation = 2
    checker.sent?.(grant(2, two), b)
    expect(texts).toHaveLength(1)
  })

  test('speaking in an older term is reported', () => {
    const { texts, report } = reports()
    const [a] = threeNodes()
    const checker = monotonicHardState(report)
    checker.sent?.(heartbeat(3, 0), a)
    checker.sent?.(heartbeat(2, 0), a)
    expect(texts).toHaveLength(1)
  })

  test('a commit index that falls within one life is reported, and not after a restart', () => {
    const { texts, report } = reports()
    const [a] = threeNodes()
    const checker = monotonicHardState(report)
    checker.sent?.(append(3, 5), a)
    a.incarnation = 2
    checker.sent?.(append(4, 4), a)
    expect(texts).toEqual([])
    checker.sent?.(append(4, 3), a)
    expect(texts).toHaveLength(1)
  })

  test('a start in an older term than was spoken is reported', () => {
    const { texts, report } = reports()
    const [a] = threeNodes()
    const checker = monotonicHardState(report)
    checker.sent?.(heartbeat(3, 0), a)
    a.log.hardState = { term: 2, vote: 0n, commit: 0 }
    checker.started?.(a)
    expect(texts).toHaveLength(1)
  })

  test('a stored vote that changes within a term is reported', () => {
    const { texts, report } = reports()
    const [a] = threeNodes()
    const checker = monotonicHardState(report)
    checker.hardState?.({ term: 2, vote: 1n, commit: 0 }, a)
    checker.hardState?.({ term: 3, vote: 2n, commit: 0 }, a)
    expect(texts).toEqual([])
    checker.hardState?.({ term: 3, vote: 1n, commit: 0 }, a)
    expect(texts).toHaveLength(1)
  })
})

describe('I6 persist before speak', () => {
  test('a vote that is not durable is reported', () => {
    const { texts, report } = reports()
    const nodes = threeNodes()
    const checker = persistBeforeSpeak(nodes, report)
    nodes[1].log.hardState = { term: 2, vote: one, commit: 0 }
    checker.sent?.(grant(2), nodes[1])
    expect(texts).toEqual([])
    nodes[1].log.hardState = { term: 2, vote: 0n, commit: 0 }
    checker.sent?.(grant(2), nodes[1])
    expect(texts).toHaveLength(1)
  })

  test('an acknowledgement beyond the durable log is reported', () => {
    const { texts, report } = reports()
    const nodes = threeNodes()
    hold(nodes[1], [entry(1, 1)])
    nodes[1].log.hardState = { term: 1, vote: 0n, commit: 0 }
    const checker = persistBeforeSpeak(nodes, report)
    const acknowledge = (index: number): Message => ({
      kind: 'appendResponse',
      from: two,
      to: one,
      term: 1,
      index,
      isRejected: false,
      rejectHint: 0,
      hintTerm: 0,
    })
    checker.sent?.(acknowledge(1), nodes[1])
    expect(texts).toEqual([])
    checker.sent?.(acknowledge(2), nodes[1])
    expect(texts).toHaveLength(1)
  })

  test('an answer to a write that only one of three holds is reported', () => {
    const { texts, report } = reports()
    const nodes = threeNodes()
    const checker = persistBeforeSpeak(nodes, report)
    hold(nodes[0], [entry(1, 1)])
    checker.marked('#0.1#', { index: 1, term: 1 })
    hold(nodes[1], [entry(1, 1)])
    checker.answered?.({ node: nodes[0], marker: '#0.1#', description: 'put' })
    expect(texts).toEqual([])
    checker.answered?.({ node: nodes[0], marker: '#0.2#', description: 'put' })
    expect(texts).toHaveLength(1)
  })
})

describe('I7 commit needs a real quorum', () => {
  test('a commit that one of three holds is reported', () => {
    const { texts, report } = reports()
    const nodes = threeNodes()
    const committed = new CommittedLog(nodes, report)
    noteAll(committed, [entry(1, 1)])
    hold(nodes[0], [entry(1, 1)])
    committed.noteCommit(1, 1)
    expect(texts).toHaveLength(1)
  })

  test('a learner is not counted', () => {
    const { texts, report } = reports()
    const [a, b, c] = threeNodes()
    const nodes = [a, b, { ...c, isVoter: false }]
    const committed = new CommittedLog(nodes, report)
    noteAll(committed, [entry(1, 1)])
    hold(a, [entry(1, 1)])
    hold(c, [entry(1, 1)])
    committed.noteCommit(1, 1)
    expect(texts).toHaveLength(1)
  })

  test('a commit on top of another history is reported', () => {
    const { texts, report } = reports()
    const nodes = threeNodes()
    const committed = new CommittedLog(nodes, report)
    noteAll(committed, [entry(1, 1), entry(2, 1)])
    noteAll(committed, [entry(1, 2), entry(2, 2)])
    for (const node of nodes) hold(node, [entry(1, 1)])
    committed.noteCommit(1, 1)
    for (const node of nodes) hold(node, [entry(1, 2), entry(2, 2)])
    committed.noteCommit(2, 2)
    expect(texts).toHaveLength(1)
  })
})

describe('I8 current-term commit', () => {
  test('a leader that is the first to call an older entry committed is reported', () => {
    const { texts, report } = reports()
    const nodes = threeNodes()
    const committed = new CommittedLog(nodes, report)
    noteAll(committed, [entry(1, 1), entry(2, 2)])
    for (const node of nodes) hold(node, [entry(1, 1), entry(2, 2)])
    const checker = currentTermCommit(committed, report)
    checker.sent?.(append(2, 1), nodes[0])
    expect(texts).toHaveLength(1)
    checker.sent?.(append(2, 2), nodes[0])
    expect(texts).toHaveLength(1)
  })

  test('a clipped heartbeat is not taken for the leader’s commit index', () => {
    const { texts, report } = reports()
    const nodes = threeNodes()
    const committed = new CommittedLog(nodes, report)
    noteAll(committed, [entry(1, 1), entry(2, 2)])
    for (const node of nodes) hold(node, [entry(1, 1), entry(2, 2)])
    const checker = currentTermCommit(committed, report)
    checker.sent?.(heartbeat(2, 1), nodes[0])
    checker.sent?.(append(3, 1), nodes[1])
    checker.sent?.(append(3, 2), nodes[1])
    expect(texts).toHaveLength(1)
  })
})

describe('I9 applied once and I13 revision law', () => {
  test('an index that means another revision on another node is reported', () => {
    const { texts, report } = reports()
    const [a, b] = threeNodes()
    const checker = appliedOnce(report)
    checker.batch?.(
      { changes: [dataChange(2, 0), ...indexChange(5, 1)], indexBefore: 4, indexAfter: 5 },
      a,
    )
    checker.batch?.(
      { changes: [dataChange(2, 0), ...indexChange(5, 1)], indexBefore: 4, indexAfter: 5 },
      b,
    )
    expect(texts).toEqual([])
    checker.opened({ index: 5, revision: 3 }, a)
    expect(texts).toHaveLength(1)
  })

  test('a gap in the revisions is reported', () => {
    const { texts, report } = reports()
    const [a] = threeNodes()
    appliedOnce(report).batch?.({ changes: [dataChange(3, 0)], indexBefore: 0, indexAfter: 1 }, a)
    expect(texts).toHaveLength(1)
  })

  test('sub-revisions that do not count from zero are reported', () => {
    const { texts, report } = reports()
    const [a] = threeNodes()
    appliedOnce(report).batch?.(
      { changes: [dataChange(2, 0), dataChange(2, 2)], indexBefore: 0, indexAfter: 1 },
      a,
    )
    expect(texts).toHaveLength(1)
  })
})

describe('I10 applied index is atomic', () => {
  test('data in a batch without the applied index is reported', () => {
    const { texts, report } = reports()
    const nodes = threeNodes()
    const checker = appliedIndexAtomic(new CommittedLog(nodes, report), report)
    checker.batch?.(
      { changes: [dataChange(2, 0), ...indexChange(1, 1)], indexBefore: 0, indexAfter: 1 },
      nodes[0],
    )
    expect(texts).toEqual([])
    checker.batch?.({ changes: [dataChange(3, 0)], indexBefore: 1, indexAfter: 1 }, nodes[0])
    expect(texts).toHaveLength(1)
  })

  test('a term that is not the entry’s is reported', () => {
    const { texts, report } = reports()
    const nodes = threeNodes()
    const committed = new CommittedLog(nodes, report)
    noteAll(committed, [entry(1, 2)])
    for (const node of nodes) hold(node, [entry(1, 2)])
    committed.noteCommit(1, 2)
    const checker = appliedIndexAtomic(committed, report)
    checker.batch?.({ changes: indexChange(1, 1), indexBefore: 0, indexAfter: 1 }, nodes[0])
    expect(texts).toHaveLength(1)
  })
})

describe('I11 log covers backend', () => {
  test('a log that begins behind what is flushed is reported', () => {
    const { texts, report } = reports()
    const [a] = threeNodes()
    const checker = logCoversBackend(() => 10, report)
    a.log.firstIndex = 11
    checker.synced?.(a)
    expect(texts).toEqual([])
    a.log.firstIndex = 12
    checker.synced?.(a)
    expect(texts).toHaveLength(1)
  })

  test('a recorded snapshot that is not flushed is reported', () => {
    const { texts, report } = reports()
    const [a] = threeNodes()
    a.log.snapshotIndex = 11
    logCoversBackend(() => 10, report).synced?.(a)
    expect(texts).toHaveLength(1)
  })
})

describe('I12 commit bound', () => {
  test('a durable commit index beyond the durable log is reported', () => {
    const { texts, report } = reports()
    const nodes = threeNodes()
    hold(nodes[0], [entry(1, 1)])
    nodes[0].log.hardState = { term: 1, vote: 0n, commit: 2 }
    commitBound(new CommittedLog(nodes, report), report).synced?.(nodes[0])
    expect(texts).toHaveLength(1)
  })

  test('applying what is not committed is reported', () => {
    const { texts, report } = reports()
    const nodes = threeNodes()
    const committed = new CommittedLog(nodes, report)
    commitBound(committed, report).batch?.({ changes: [], indexBefore: 0, indexAfter: 1 }, nodes[0])
    expect(texts.length).toBeGreaterThan(0)
  })
})

describe('I15 hash agreement', () => {
  test('different hashes at one revision are reported, at different compactions not', () => {
    const { texts, report } = reports()
    const base = { hash: 1, revision: 5, compactedRevision: 2 }
    checkStateHashes(
      [
        { ...base, node: 'n0' },
        { ...base, node: 'n1', hash: 2, compactedRevision: 3 },
      ],
      report,
    )
    expect(texts).toEqual([])
    checkStateHashes(
      [
        { ...base, node: 'n0' },
        { ...base, node: 'n1', hash: 2 },
      ],
      report,
    )
    expect(texts).toHaveLength(1)
  })
})

describe('I37 no orphan', () => {
  test('a timer that is left is reported', () => {
    const { texts, report } = reports()
    const none = {
      node: 'n0',
      timerCount: 0,
      fileHandlePaths: [],
      openDatabaseCount: 0,
      openViewCount: 0,
      watcherCount: 0,
    }
    checkNoOrphans(none, report)
    expect(texts).toEqual([])
    checkNoOrphans({ ...none, timerCount: 1 }, report)
    expect(texts).toHaveLength(1)
  })
})

describe('I38 answered', () => {
  test('a request that stays open beyond its limit is reported, unless its node stands still', () => {
    const { texts, report } = reports()
    let isPaused = true
    const checker = new Answered(7_000_000, () => isPaused, report)
    checker.begin(1, { description: 'put', node: 'n0', startUs: 0 })
    checker.check(8_500_000)
    expect(texts).toEqual([])
    isPaused = false
    checker.check(16_000_000)
    expect(texts).toEqual([])
    checker.check(17_000_000)
    expect(texts).toHaveLength(1)
  })
})
