/** Histories of real processes, spoilt in every way that a judge must notice; the good one passes. */
import { describe, expect, test } from 'vitest'
import {
  CompactionRequest,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  type RequestOp,
  TxnRequest,
} from '../../../src/core/proto/gen/rpc.ts'
import type {
  ClientHistory,
  LeaseEnding,
  WatchMessage,
  WatchRecord,
} from '../../helpers/judges/client-history.ts'
import { judgeHistory } from '../../helpers/judges/revision-judge.ts'
import { judgeWatchRecords, neededAfter } from '../../helpers/judges/watch-judge.ts'
import type {
  ClientOutcome,
  ClientRequest,
  OperationRecord,
  WatchedEvent,
} from '../../simulation/harness/history.ts'
import type { PlainAnswer, PlainPair } from '../../simulation/harness/store-model.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text)

/* The store: put a=1 (2), b=2 under lease 7 (3), delete a (4), put a=3 and c=4 in one (5), lease 7 ends (6), put a=5 (7). */
const a1: PlainPair = { key: 'a', value: '1', create: 2, mod: 2, version: 1 }
const b2: PlainPair = { key: 'b', value: '2', create: 3, mod: 3, version: 1, lease: '7' }
const a3: PlainPair = { key: 'a', value: '3', create: 5, mod: 5, version: 1 }
const c4: PlainPair = { key: 'c', value: '4', create: 5, mod: 5, version: 1 }
const a5: PlainPair = { key: 'a', value: '5', create: 5, mod: 7, version: 2 }

interface Told {
  readonly request: ClientRequest
  readonly outcome: ClientOutcome
  readonly startUs: number
  readonly endUs: number
}

const ok = (answer: PlainAnswer): ClientOutcome => ({ kind: 'ok', answer })
const unknown: ClientOutcome = { kind: 'unknown', code: '14' }
const put = (key: string, value: string, lease = 0n): ClientRequest => ({
  kind: 'put',
  body: PutRequest.fromPartial({ key: bytes(key), value: bytes(value), lease }),
})
const okPut = (revision: number): ClientOutcome =>
  ok({ kind: 'put', revision, previous: undefined })
const range = (key: string, revision = 0): ClientRequest => ({
  kind: 'range',
  body: RangeRequest.fromPartial({ key: bytes(key), revision: BigInt(revision) }),
})
const okRange = (revision: number, pairs: readonly PlainPair[]): ClientOutcome =>
  ok({ kind: 'range', revision, pairs, count: pairs.length, hasMore: false })
const putOf = (key: string, value: string): RequestOp => ({
  request: {
    $case: 'requestPut',
    value: PutRequest.fromPartial({ key: bytes(key), value: bytes(value) }),
  },
})
const both: ClientRequest = {
  kind: 'txn',
  body: TxnRequest.fromPartial({ success: [putOf('a', '3'), putOf('c', '4')] }),
}
const nothing: ClientRequest = { kind: 'txn', body: TxnRequest.fromPartial({}) }
const okTxn = (revision: number, answers: readonly PlainAnswer[]): ClientOutcome =>
  ok({ kind: 'txn', revision, hasSucceeded: true, answers })
const nestedPut: PlainAnswer = { kind: 'put', revision: 5, previous: undefined }
const remove: ClientRequest = {
  kind: 'deleteRange',
  body: DeleteRangeRequest.fromPartial({ key: bytes('a'), prevKv: true }),
}
const okRemove = (previous: readonly PlainPair[]): ClientOutcome =>
  ok({ kind: 'deleteRange', revision: 4, deletedCount: 1, previous })

/** Each begins after the one before has ended. */
const goodOperations: readonly Told[] = (
  [
    [put('a', '1'), okPut(2)],
    [put('b', '2', 7n), okPut(3)],
    [remove, okRemove([a1])],
    [range('a', 2), okRange(4, [a1])],
    [both, okTxn(5, [nestedPut, nestedPut])],
    [nothing, okTxn(5, [])],
    [put('a', '5'), unknown],
    [range('a'), okRange(7, [a5])],
  ] as const
).map(([request, outcome], number) => ({
  request,
  outcome,
  startUs: number * 10,
  endUs: number * 10 + 5,
}))

const putEvent = (pair: PlainPair, previous?: PlainPair): WatchedEvent => ({
  kind: 'put',
  key: pair.key,
  revision: pair.mod,
  pair,
  previous,
})
const deleteEvent = (key: string, revision: number, previous: PlainPair): WatchedEvent => ({
  kind: 'delete',
  key,
  revision,
  pair: undefined,
  previous,
})
const message = (fields: Partial<WatchMessage>): WatchMessage => ({
  atUs: 0,
  isCreated: false,
  isCanceled: false,
  compactRevision: 0,
  isFragment: false,
  revision: 7,
  events: [],
  ...fields,
})
const created = message({ isCreated: true, revision: 1 })
const putA1 = putEvent(a1)
const putB2 = putEvent(b2)
const deleteA = deleteEvent('a', 4, a1)
const deleteB = deleteEvent('b', 6, b2)
const putA3 = putEvent(a3)
const putC4 = putEvent(c4)
const putA5 = putEvent(a5, a3)
const first = message({ events: [putA1, putB2], revision: 3 })
const second = message({ events: [deleteA, putA3, putC4], revision: 5 })
const third = message({ events: [deleteB, putA5] })
const progress = message({})

function watching(
  messages: readonly WatchMessage[],
  fields: Partial<WatchRecord> = {},
): WatchRecord {
  return {
    name: 'w',
    startKey: '\0',
    rangeEnd: '\0',
    isWithoutPuts: false,
    isWithoutDeletes: false,
    hasPrevious: true,
    streams: [{ node: 'n', startRevision: 1, messages: [...messages] }],
    ...fields,
  }
}

const goodWatch = watching([created, first, second, third, progress])

function historyOf(
  told: readonly Told[],
  watches: readonly WatchRecord[] = [goodWatch],
  leaseEndings: readonly LeaseEnding[] = [],
): ClientHistory {
  const operations = told.map((each, id): OperationRecord => ({
    id,
    client: id,
    node: 'n',
    life: 1,
    marker: undefined,
    ...each,
  }))
  return { operations, watches: [...watches], leaseEndings: [...leaseEndings] }
}

function judgeOf(history: ClientHistory): readonly string[] {
  const found: string[] = []
  judgeHistory(history, (checker, text) => found.push(`${checker}: ${text}`))
  return found
}

function change(position: number, fields: Partial<Told>): readonly Told[] {
  return goodOperations.map((told, other) => (other === position ? { ...told, ...fields } : told))
}

describe('the revision judge', () => {
  test('passes a history that is right', () => {
    expect(judgeOf(historyOf(goodOperations))).toEqual([])
    const ending = { lease: '7', startUs: 50, endUs: 60, revision: 6 }
    expect(judgeOf(historyOf(goodOperations, [goodWatch], [ending]))).toEqual([])
  })

  test.each<[string, readonly Told[], RegExp]>([
    ['two writes of one revision', change(1, { outcome: okPut(2) }), /has the revision of/],
    ['a lost write', change(7, { outcome: okRange(7, [a3]) }), /reads/],
    ['a stale read', change(7, { outcome: okRange(4, []) }), /read currency/],
    ['a wrong value in the past', change(3, { outcome: okRange(4, [a3]) }), /reads/],
    [
      'a write that is ordered before what was shown earlier',
      change(1, { startUs: 42, endUs: 44 }),
      /read currency/,
    ],
    [
      'an answer that shows a write of the future',
      change(3, { outcome: okRange(7, [a1]) }),
      /began later/,
    ],
    ['a wrong previous pair', change(2, { outcome: okRemove([b2]) }), /the model has/],
    [
      'a transaction that says it wrote nothing',
      change(4, { outcome: okTxn(5, []) }),
      /asked for by nobody|its answer says/,
    ],
    [
      'a revision without a cause',
      goodOperations.filter((_, at) => at !== 0),
      /asked for by nobody/,
    ],
    ['a revision of the far future', change(7, { outcome: okRange(9, [a5]) }), /nothing explains/],
    [
      'a refusal as compacted of what was not',
      [
        ...goodOperations,
        {
          request: range('a', 2),
          outcome: { kind: 'failed', code: 'compacted' },
          startUs: 90,
          endUs: 91,
        },
      ],
      /is called compacted/,
    ],
    [
      'an answer from before a compaction that was acknowledged',
      [
        ...goodOperations,
        {
          request: { kind: 'compact', body: CompactionRequest.fromPartial({ revision: 5n }) },
          outcome: ok({ kind: 'compact', revision: 7 }),
          startUs: 90,
          endUs: 91,
        },
        { request: range('a', 2), outcome: okRange(7, [a1]), startUs: 92, endUs: 93 },
      ],
      /was compacted before it began/,
    ],
  ])('notices %s', (_, operations, complaint) => {
    expect(judgeOf(historyOf(operations)).join('\n')).toMatch(complaint)
  })

  test('notices a member that goes back', () => {
    const history = historyOf(goodOperations)
    const [read] = history.operations.slice(-1)
    history.operations.push({
      ...read!,
      request: {
        kind: 'range',
        body: RangeRequest.fromPartial({ key: bytes('a'), serializable: true }),
      },
      outcome: okRange(5, [a3]),
    })
    expect(judgeOf(history).join()).toMatch(/goes back/)
  })

  test('notices a revision that nobody was told of', () => {
    const watch = watching([created, message({ events: [putA5] })])
    expect(judgeOf(historyOf(goodOperations, [watch])).join()).toMatch(/nobody was told/)
  })

  test('notices an unknown write whose events are not its own', () => {
    const odd = watching([
      created,
      first,
      second,
      message({ events: [deleteB, putEvent({ ...a5, key: 'z' })] }),
    ])
    expect(judgeOf(historyOf(goodOperations, [odd])).join()).toMatch(/was told as/)
  })

  test('notices a lease that outlives its revocation', () => {
    const ending = { lease: '7', startUs: 50, endUs: 60, revision: 5 }
    expect(judgeOf(historyOf(goodOperations, [goodWatch], [ending])).join()).toMatch(/until 6/)
  })

  test('gives each revision of deletes one cause, whatever fits several', () => {
    const unknownDelete = (rangeEnd: string): Pick<Told, 'request' | 'outcome'> => ({
      request: {
        kind: 'deleteRange',
        body: DeleteRangeRequest.fromPartial({ key: bytes('a'), rangeEnd: bytes(rangeEnd) }),
      },
      outcome: unknown,
    })
    const x = (revision: number, create: number): PlainPair => ({
      key: 'x',
      value: `x${revision}`,
      create,
      mod: revision,
      version: 1,
    })
    const a = { key: 'a', value: '1', create: 2, mod: 2, version: 1 }
    const again = { ...a, value: '3', create: 4, mod: 4 }
    const told: readonly Told[] = [
      { request: put('a', '1'), outcome: okPut(2), startUs: 0, endUs: 5 },
      { ...unknownDelete('z'), startUs: 10, endUs: 15 },
      { ...unknownDelete('b'), startUs: 10, endUs: 15 },
      { request: put('a', '3'), outcome: okPut(4), startUs: 20, endUs: 25 },
      { request: put('x', 'x5'), outcome: okPut(5), startUs: 30, endUs: 35 },
    ]
    const events = [putEvent(a), deleteEvent('a', 3, a), putEvent(again), putEvent(x(5, 5))]
    // Either delete explains revision 3, but only the wide one explains revision 6.
    const both = [deleteEvent('a', 6, again), deleteEvent('x', 6, x(5, 5))]
    const watch = watching([created, message({ events: [...events, ...both] })])
    expect(judgeOf(historyOf(told, [watch]))).toEqual([])
    expect(judgeOf(historyOf([told[0]!, ...told.slice(2)], [watch])).join()).toMatch(/by nobody/)
  })

  test('notices a lease that takes other keys with it', () => {
    const odd = watching([
      created,
      first,
      second,
      message({ events: [deleteB, deleteEvent('c', 6, c4), putA5] }),
    ])
    expect(judgeOf(historyOf(goodOperations, [odd])).join()).toMatch(/asked for by nobody/)
  })
})

function judgeWatches(...watches: readonly WatchRecord[]): string {
  const found: string[] = []
  const model = judgeHistory(historyOf(goodOperations), () => undefined)
  judgeWatchRecords({ watches: [...watches] }, model, (_, text) => found.push(text))
  return found.join('\n')
}

describe('the watch judge', () => {
  test('passes streams that are right', () => {
    const only = { startKey: 'a', rangeEnd: '' }
    expect(
      judgeWatches(
        goodWatch,
        watching(
          [created, message({ events: [putA1, deleteA, putA3] }), message({ events: [putA5] })],
          only,
        ),
        watching([created, message({ events: [deleteA, deleteB] })], { isWithoutPuts: true }),
        // Divided within a revision, as the mark allows.
        watching([
          created,
          first,
          message({ events: [deleteA, putA3], isFragment: true, revision: 5 }),
          message({ events: [putC4], revision: 5 }),
          third,
        ]),
      ),
    ).toBe('')
  })

  test('passes a watch that goes on elsewhere behind what it got', () => {
    const cut = { node: 'n', startRevision: 1, messages: [created, first] }
    const next = { node: 'm', startRevision: 4, messages: [created, second, third] }
    expect(neededAfter(cut)).toBe(4)
    expect(judgeWatches(watching([], { streams: [cut, next] }))).toBe('')
    const gap = {
      ...next,
      startRevision: 5,
      messages: [created, message({ events: [putA3, putC4] }), third],
    }
    expect(judgeWatches(watching([], { streams: [cut, gap] }))).toMatch(/4 was due/)
  })

  test('knows what a cut stream still needs', () => {
    const streamOf = (startRevision: number, messages: WatchMessage[]): number | undefined =>
      neededAfter({ node: 'n', startRevision, messages })
    expect(streamOf(0, [])).toBeUndefined()
    expect(streamOf(0, [message({ isCreated: true, revision: 5 })])).toBe(6)
    expect(streamOf(3, [created, { ...second, isFragment: true }])).toBe(3)
  })

  test.each<[string, WatchRecord, RegExp]>([
    ['an event that is missing', watching([created, first, third]), /is due/],
    ['an event that comes twice', watching([created, first, first]), /is due/],
    [
      'events out of order',
      watching([created, message({ events: [putB2, putA1] })]),
      /comes where put of a at 2 is due/,
    ],
    [
      'a revision divided without the mark',
      watching([
        created,
        first,
        message({ events: [deleteA, putA3] }),
        message({ events: [putC4] }),
      ]),
      /missing in the message/,
    ],
    ['an event outside the range', watching([created, first], { startKey: 'b' }), /is due/],
    [
      'an event of a filtered kind',
      watching([created, first], { isWithoutPuts: true }),
      /comes where delete/,
    ],
    [
      'an event below the start',
      watching([], { streams: [{ node: 'n', startRevision: 3, messages: [created, first] }] }),
      /comes where put of b/,
    ],
    [
      'an event for a watch of the future',
      watching([], { streams: [{ node: 'n', startRevision: 100, messages: [created, first] }] }),
      /nothing is due/,
    ],
    [
      'an event of before a watch from now on',
      watching([], {
        streams: [{ node: 'n', startRevision: 0, messages: [{ ...created, revision: 3 }, first] }],
      }),
      /comes where delete of a at 4 is due/,
    ],
    [
      'progress that promises too much',
      watching([created, first, message({ revision: 4 }), second, third]),
      /still to come/,
    ],
    [
      'progress that goes back',
      watching([created, first, second, third, progress, message({ revision: 6 })]),
      /after 7/,
    ],
    [
      'a wrong previous pair',
      watching([created, first, message({ events: [{ ...deleteA, previous: b2 }] })]),
      /as previous pair/,
    ],
    [
      'a previous pair that is left out',
      watching([created, first, message({ events: [{ ...deleteA, previous: undefined }] })]),
      /without its previous pair/,
    ],
    [
      'a previous pair that nobody asked for',
      watching([created, first, second], { hasPrevious: false }),
      /with a previous pair/,
    ],
    [
      'a wrong version',
      watching([created, message({ events: [putEvent({ ...a1, version: 2 })] })]),
      /carries/,
    ],
    [
      'a header below its events',
      watching([created, { ...first, revision: 2 }]),
      /under a header of revision 2/,
    ],
    ['anything before the creation', watching([first]), /before the creation/],
    ['being created twice', watching([created, created]), /created twice/],
    [
      'an end as compacted of what was not',
      watching([created, message({ isCanceled: true, compactRevision: 4 })]),
      /nobody compacted/,
    ],
    [
      'an end without a reason',
      watching([created, message({ isCanceled: true })]),
      /without a reason/,
    ],
    [
      'a message after the end',
      watching([message({ isCanceled: true, compactRevision: 4 }), created]),
      /nobody compacted|after the end/,
    ],
    ['silence at the end', watching([created, first, second]), /never told/],
  ])('notices %s', (_, watch, complaint) => {
    expect(judgeWatches(watch)).toMatch(complaint)
  })

  test('tells a true end as compacted from a needless one', () => {
    const compaction: Told = {
      request: { kind: 'compact', body: CompactionRequest.fromPartial({ revision: 5n }) },
      outcome: ok({ kind: 'compact', revision: 7 }),
      startUs: 90,
      endUs: 91,
    }
    const model = judgeHistory(historyOf([...goodOperations, compaction]), () => undefined)
    const ended = message({ isCanceled: true, compactRevision: 5 })
    const judge = (startRevision: number): string[] => {
      const found: string[] = []
      const rest = [created, message({ events: [putA3, putC4] }), third]
      const streams = [
        { node: 'n', startRevision, messages: [created, ended] },
        { node: 'n', startRevision: 5, messages: rest },
      ]
      judgeWatchRecords({ watches: [watching([], { streams })] }, model, (_, text) =>
        found.push(text),
      )
      return found
    }
    expect(judge(3)).toEqual([])
    expect(judge(5).join()).toMatch(/only needed 5/)
  })
})
