/** Histories spoilt by hand: each must be caught, and the good one passed. */
import { describe, expect, test } from 'vitest'
import { InternalRaftRequest } from '../../../src/core/proto/gen/raft_internal.ts'
import {
  CompactionRequest,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
} from '../../../src/core/proto/gen/rpc.ts'
import type { LoggedEntry } from '../harness/durable-log.ts'
import type {
  ClientOutcome,
  ClientRequest,
  OperationRecord,
  WatchSegment,
  WatchedEvent,
} from '../harness/history.ts'
import type { PlainPair } from '../harness/store-model.ts'
import { judgeOperations, replayLog } from './linearizability.ts'
import { judgeWatches } from './watch-order.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const put = (key: string, value: string): PutRequest =>
  PutRequest.fromPartial({ key: bytes(key), value: bytes(value) })
const remove = (key: string): DeleteRangeRequest =>
  DeleteRangeRequest.fromPartial({ key: bytes(key) })

function logOf(
  requests: readonly Parameters<typeof InternalRaftRequest.fromPartial>[0][],
): readonly LoggedEntry[] {
  return requests.map((request, position) => ({
    index: position + 1,
    term: 1,
    type: 0,
    data: InternalRaftRequest.encode(InternalRaftRequest.fromPartial(request)).finish(),
    hash: 0,
  }))
}

/** put a=1 (revision 2), put b=2 (3), delete a (4), put a=3 (5). */
const log = logOf([
  { put: put('a', '1') },
  { put: put('b', '2') },
  { deleteRange: remove('a') },
  { put: put('a', '3') },
])

const pairA1: PlainPair = { key: 'a', value: '1', create: 2, mod: 2, version: 1 }
const pairB: PlainPair = { key: 'b', value: '2', create: 3, mod: 3, version: 1 }
const pairA3: PlainPair = { key: 'a', value: '3', create: 5, mod: 5, version: 1 }

interface Told {
  readonly request: ClientRequest
  readonly outcome: ClientOutcome
  readonly startUs: number
  readonly endUs: number
}

function operation(told: Told, id: number): OperationRecord {
  const marker = told.request.kind === 'put' ? 'marked' : undefined
  return { id, client: id, node: 'n0', life: 1, marker, ...told }
}

const okPut = (revision: number): ClientOutcome => ({
  kind: 'ok',
  answer: { kind: 'put', revision, previous: undefined },
})

function rangeOf(options: {
  readonly key: string
  readonly revision: number
  readonly pairs: readonly PlainPair[]
}): Pick<Told, 'request' | 'outcome'> {
  const { key, revision, pairs } = options
  return {
    request: { kind: 'range', body: RangeRequest.fromPartial({ key: bytes(key) }) },
    outcome: {
      kind: 'ok',
      answer: { kind: 'range', revision, pairs, count: pairs.length, hasMore: false },
    },
  }
}

const good: readonly Told[] = [
  { request: { kind: 'put', body: put('a', '1') }, outcome: okPut(2), startUs: 0, endUs: 10 },
  { request: { kind: 'put', body: put('b', '2') }, outcome: okPut(3), startUs: 20, endUs: 30 },
  {
    request: { kind: 'deleteRange', body: remove('a') },
    outcome: {
      kind: 'ok',
      answer: { kind: 'deleteRange', revision: 4, deletedCount: 1, previous: [] },
    },
    startUs: 40,
    endUs: 50,
  },
  {
    request: { kind: 'put', body: put('a', '3') },
    outcome: { kind: 'unknown', code: 'timeout' },
    startUs: 45,
    endUs: 60,
  },
  { ...rangeOf({ key: 'a', revision: 5, pairs: [pairA3] }), startUs: 70, endUs: 80 },
]

function judge(told: readonly Told[], ofLog: readonly LoggedEntry[] = log): readonly string[] {
  const found: string[] = []
  judgeOperations(told.map(operation), replayLog(ofLog), (checker) => found.push(checker))
  return found
}

function change(position: number, with_: Partial<Told>): readonly Told[] {
  return good.map((told, other) => (other === position ? { ...told, ...with_ } : told))
}

describe('the first judge', () => {
  test('passes a history that is right', () => {
    expect(judge(good)).toEqual([])
  })

  test.each<[string, readonly Told[], string]>([
    ['a write with another revision', change(0, { outcome: okPut(3) }), 'first judge: writes'],
    [
      'a write that the log does not have',
      change(1, { request: { kind: 'put', body: put('b', 'lost') } }),
      'first judge: writes',
    ],
    [
      'an entry that nobody asked for',
      good.filter((_, position) => position !== 3),
      'I14 no unexplained revision',
    ],
    [
      'a refused write that was applied',
      change(3, { outcome: { kind: 'failed', code: 'tooManyRequests' } }),
      'first judge: writes',
    ],
    [
      'a read of a value that was not there',
      change(4, rangeOf({ key: 'a', revision: 5, pairs: [pairA1] })),
      'first judge: reads',
    ],
    [
      'a read that is older than an answered write',
      change(4, rangeOf({ key: 'a', revision: 3, pairs: [pairA1] })),
      'I19 read currency',
    ],
    [
      'a read that shows a write before it began',
      [...change(4, { startUs: 41, endUs: 44 })],
      'first judge: real time',
    ],
    [
      'a delete with another count',
      change(2, {
        outcome: {
          kind: 'ok',
          answer: { kind: 'deleteRange', revision: 4, deletedCount: 0, previous: [] },
        },
      }),
      'first judge: writes',
    ],
  ])('catches %s', (_, told, checker) => {
    expect(judge(told)).toContain(checker)
  })

  test('catches an entry that was applied twice', () => {
    const doubled = logOf([{ put: put('a', '1') }, { put: put('a', '1') }])
    expect(judge([good[0]!], doubled)).toContain('I14 no unexplained revision')
  })

  test('catches a read below a compaction that was answered', () => {
    const compacted = logOf([
      { put: put('a', '1') },
      { put: put('b', '2') },
      { compaction: CompactionRequest.fromPartial({ revision: 3n }) },
    ])
    const told: readonly Told[] = [
      good[0]!,
      good[1]!,
      {
        request: { kind: 'compact', body: CompactionRequest.fromPartial({ revision: 3n }) },
        outcome: { kind: 'ok', answer: { kind: 'compact', revision: 3 } },
        startUs: 32,
        endUs: 35,
      },
      {
        request: {
          kind: 'range',
          body: RangeRequest.fromPartial({ key: bytes('a'), revision: 2n }),
        },
        outcome: {
          kind: 'ok',
          answer: { kind: 'range', revision: 3, pairs: [pairA1], count: 1, hasMore: false },
        },
        startUs: 40,
        endUs: 50,
      },
    ]
    expect(judge(told, compacted)).toContain('first judge: refusals')
  })
})

const putEvent = (pair: PlainPair, previous?: PlainPair): WatchedEvent => ({
  kind: 'put',
  key: pair.key,
  revision: pair.mod,
  pair,
  previous,
})
const deleteEvent: WatchedEvent = {
  kind: 'delete',
  key: 'a',
  revision: 4,
  pair: undefined,
  previous: pairA1,
}

const goodWatch: WatchSegment = {
  watch: 0,
  node: 'n0',
  startKey: 'a',
  rangeEnd: 'c',
  startRevision: 2,
  noPut: false,
  noDelete: false,
  hasPrevious: true,
  batches: [
    { events: [putEvent(pairA1), putEvent(pairB)], revision: 3, atUs: 1 },
    { events: [deleteEvent, putEvent(pairA3)], revision: 5, atUs: 2 },
  ],
  end: { kind: 'open' },
}

function judgeWatch(watch: WatchSegment): readonly string[] {
  const found: string[] = []
  judgeWatches([watch], replayLog(log).model, (_, message) => found.push(message))
  return found
}

describe('the watch judge', () => {
  test('passes a stream that is right', () => {
    expect(judgeWatch(goodWatch)).toEqual([])
  })

  const [first, second] = [goodWatch.batches[0]!, goodWatch.batches[1]!]
  test.each<[string, Partial<WatchSegment>]>([
    ['an event that is missing', { batches: [first, { ...second, events: [putEvent(pairA3)] }] }],
    [
      'an event that comes twice',
      { batches: [first, { ...second, events: [putEvent(pairB), ...second.events] }] },
    ],
    [
      'events out of order',
      { batches: [{ ...first, events: [putEvent(pairB), putEvent(pairA1)] }, second] },
    ],
    ['an event below the start', { startRevision: 3 }],
    ['an event outside the range', { rangeEnd: '' }],
    ['an event of a filtered kind', { noDelete: true }],
    [
      'a wrong previous pair',
      {
        batches: [
          first,
          { ...second, events: [{ ...deleteEvent, previous: pairB }, putEvent(pairA3)] },
        ],
      },
    ],
    [
      'a previous pair that is left out',
      {
        batches: [
          first,
          { ...second, events: [{ ...deleteEvent, previous: undefined }, putEvent(pairA3)] },
        ],
      },
    ],
    ['a batch that promises more than it holds', { batches: [{ ...first, revision: 4 }, second] }],
    ['a batch that goes back', { batches: [first, second, { events: [], revision: 3, atUs: 3 }] }],
    ['an end as compacted that is not behind', { end: { kind: 'compacted', revision: 5 } }],
    [
      'another value',
      {
        batches: [
          { ...first, events: [putEvent({ ...pairA1, value: 'x' }), putEvent(pairB)] },
          second,
        ],
      },
    ],
  ])('catches %s', (_, with_) => {
    expect(judgeWatch({ ...goodWatch, ...with_ })).not.toEqual([])
  })
})
