import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeMembershipEntry } from '../../../../src/core/apply/apply-membership.ts'
import type { CommittedEntry } from '../../../../src/core/apply/applier.ts'
import { readAppliedState } from '../../../../src/core/apply/applied-index.ts'
import type { LoggedRequest } from '../../../../src/core/apply/request-envelope.ts'
import { InvariantViolation } from '../../../../src/core/base/assert.ts'
import { nodeId, noNode, requestId } from '../../../../src/core/base/ids.ts'
import type { Compare, RequestOp } from '../../../../src/core/proto/gen/rpc.ts'
import { ApplyFixture, bytes, deletion, logged, op, put, range, txn } from './apply-fixture.ts'

describe('Applier', () => {
  test('answers a put with its revision and stores the index of its entry', async () => {
    const fixture = await ApplyFixture.open()
    expect(fixture.apply(logged.put(put('a', '1')))).toEqual({
      kind: 'put',
      previous: undefined,
      revision: 2,
    })
    expect(readAppliedState(fixture.backend)).toMatchObject({ index: 1, term: 1 })
  })

  test('gives every change of a run to the watchers, in order', async () => {
    const fixture = await ApplyFixture.open()
    const turn = fixture.applyEntries([
      fixture.entryOf(logged.put(put('a'))),
      fixture.entryOf(logged.deletion(deletion('missing'))),
      fixture.entryOf(logged.deletion(deletion('a'))),
    ])
    expect(turn.changes.map(({ revision, changes }) => [revision, changes[0]?.kind])).toEqual([
      [2, 'put'],
      [3, 'delete'],
    ])
  })

  test('does nothing for entries that were applied before', async () => {
    const fixture = await ApplyFixture.open()
    const entries = [fixture.entryOf(logged.put(put('a'))), fixture.entryOf(logged.put(put('b')))]
    fixture.applyEntries(entries)
    const before = fixture.dump()
    expect(fixture.applyEntries(entries).outcomes).toEqual([])
    expect(fixture.dump()).toBe(before)
    expect(fixture.state.store.currentRevision).toBe(3)
  })

  test('refuses to apply with a gap', async () => {
    const fixture = await ApplyFixture.open()
    fixture.nextIndex = 2
    expect(() => fixture.applyEntries([fixture.entryOf(logged.put(put('a')))])).toThrow(
      InvariantViolation,
    )
  })

  test('advances the applied index for entries that change nothing', async () => {
    const fixture = await ApplyFixture.open()
    const empty: CommittedEntry = { index: 1, term: 7, kind: 'normal', data: new Uint8Array(0) }
    fixture.nextIndex = 2
    const turn = fixture.applyEntries([
      empty,
      fixture.entryOf(logged.put(put('a', '', { lease: 5n }))),
    ])
    expect(turn.hasTermStart).toBe(true)
    expect(readAppliedState(fixture.backend).index).toBe(2)
    expect(fixture.state.store.currentRevision).toBe(1)
  })

  test.each<[string, LoggedRequest, string]>([
    ['an empty key', logged.put(put('')), 'emptyKey'],
    ['an unknown lease', logged.put(put('a', '', { lease: 5n })), 'leaseNotFound'],
    [
      'a kept value of a missing key',
      logged.put(put('x', '', { ignoreValue: true })),
      'keyNotFound',
    ],
    [
      'a kept lease of a missing key',
      logged.put(put('x', '', { ignoreLease: true })),
      'keyNotFound',
    ],
    ['an empty key to delete', logged.deletion(deletion('')), 'emptyKey'],
    ['a compaction of the future', logged.compact(99n), 'futureRevision'],
    ['a compaction of nothing', logged.compact(-1n), 'compacted'],
    [
      'a failing second operation',
      logged.txn(txn({ success: [op.put(put('a', '2')), op.put(put('b', '', { lease: 5n }))] })),
      'leaseNotFound',
    ],
    [
      'a kept value of a key that the same transaction deletes',
      logged.txn(
        txn({
          success: [op.deletion(deletion('a', '\0')), op.put(put('a', '', { ignoreValue: true }))],
        }),
      ),
      'keyNotFound',
    ],
    [
      'a range of the revision that the transaction itself would make',
      logged.txn(txn({ success: [op.put(put('z')), op.range(range('a', { revision: 3n }))] })),
      'futureRevision',
    ],
    [
      'a nested operation without content',
      logged.txn(
        txn({ success: [op.put(put('z')), op.txn(txn({ success: [{ request: undefined }] }))] }),
      ),
      'keyNotFound',
    ],
  ])('leaves no trace of %s', async (_name, request, code) => {
    const fixture = await ApplyFixture.open()
    fixture.put('a', '1')
    const before = fixture.dump()
    expect(fixture.refusalOf(request)).toBe(code)
    // The applied index alone has moved.
    const after = fixture.dump().replace(/0{15}2\b/, `${'0'.repeat(15)}1`)
    expect(after).toBe(before)
    expect(fixture.state.store.currentRevision).toBe(2)
  })

  test('refuses a negative revision inside a transaction once something was compacted', async () => {
    const fixture = await ApplyFixture.open()
    fixture.put('a')
    const ask = logged.txn(
      txn({ success: [op.put(put('b')), op.range(range('a', { revision: -1n }))] }),
    )
    expect(fixture.refusalOf(ask)).toBeUndefined()
    expect(fixture.refusalOf(logged.compact(2n))).toBeUndefined()
    expect(fixture.refusalOf(ask)).toBe('compacted')
  })

  test('sees a compaction of the same run', async () => {
    const fixture = await ApplyFixture.open()
    const turn = fixture.applyEntries([
      fixture.entryOf(logged.put(put('a', '1'))),
      fixture.entryOf(logged.put(put('a', '2'))),
      fixture.entryOf(logged.compact(3n)),
      fixture.entryOf(
        logged.txn(txn({ success: [op.put(put('b')), op.range(range('a', { revision: 2n }))] })),
      ),
    ])
    expect(turn.outcomes[2]?.outcome).toMatchObject({ kind: 'compact', revision: 3 })
    expect(turn.outcomes[3]?.outcome).toMatchObject({ code: 'compacted' })
  })

  test('keeps value and lease where asked to', async () => {
    const fixture = await ApplyFixture.open()
    fixture.put('a', 'kept')
    fixture.apply(logged.put(put('a', '', { ignoreValue: true, prevKv: true })))
    const [pair] = fixture.state.store.readRange(
      { start: bytes('a'), end: undefined },
      { revision: 0, limit: 0 },
    ).keyValues
    expect([new TextDecoder().decode(pair?.value), pair?.version]).toEqual(['kept', 2])
  })

  test('makes a revision even if nothing differs, and none for a delete of nothing', async () => {
    const fixture = await ApplyFixture.open()
    fixture.put('a', '1')
    fixture.put('a', '1')
    expect(fixture.state.store.currentRevision).toBe(3)
    expect(fixture.apply(logged.deletion(deletion('b')))).toMatchObject({
      deletedCount: 0,
      revision: 3,
    })
  })

  test('stops at a request that it does not know', async () => {
    const fixture = await ApplyFixture.open()
    // Field 1303, which nobody has written yet.
    const data = Uint8Array.from([0xba, 0x51, 0x02, 0x08, 0x01])
    expect(() => fixture.applyEntries([{ index: 1, term: 1, kind: 'normal', data }])).toThrow(
      InvariantViolation,
    )
  })

  test('stops at a joint configuration change', async () => {
    const fixture = await ApplyFixture.open()
    const entry: CommittedEntry = {
      index: 1,
      term: 1,
      kind: 'confChangeV2',
      data: new Uint8Array(0),
    }
    expect(() => fixture.applyEntries([entry])).toThrow(InvariantViolation)
  })
})

describe('a transaction', () => {
  test('answers with revisions as of each operation and header of the whole', async () => {
    const fixture = await ApplyFixture.open()
    fixture.put('a', '1')
    const answer = fixture.apply(
      logged.txn(
        txn({
          success: [
            op.range(range('a')),
            op.put(put('a', '2', { prevKv: true })),
            op.range(range('a')),
            op.txn(txn({ failure: [], success: [op.deletion(deletion('a'))] })),
            op.range(range('a')),
          ],
        }),
      ),
    )
    expect(answer).toMatchObject({
      kind: 'txn',
      hasSucceeded: true,
      revision: 3,
      responses: [
        { kind: 'range', revision: 2, count: 1 },
        { kind: 'put', revision: 3, previous: { modRevision: 2 } },
        { kind: 'range', revision: 3, count: 1 },
        { kind: 'txn', responses: [{ kind: 'deleteRange', deletedCount: 1, revision: 3 }] },
        { kind: 'range', revision: 3, count: 0 },
      ],
    })
  })

  test('evaluates nested conditions on the state before it', async () => {
    const fixture = await ApplyFixture.open()
    const missing = { key: bytes('a'), target: 1, result: 0, rangeEnd: bytes('') } as const
    const condition: Compare = { ...missing, targetUnion: { $case: 'createRevision', value: 0n } }
    const answer = fixture.apply(
      logged.txn(
        txn({
          success: [
            op.put(put('a', '1')),
            op.txn(txn({ compare: [condition], success: [op.put(put('b'))] })),
          ],
        }),
      ),
    )
    expect(answer).toMatchObject({ responses: [{}, { kind: 'txn', hasSucceeded: true }] })
  })

  test('without a waiter skips its ranges and has the same effect', async () => {
    const [awaited, unawaited] = [await ApplyFixture.open(), await ApplyFixture.open()]
    const request = logged.txn(txn({ success: [op.range(range('a')), op.put(put('a', '1'))] }))
    awaited.applyEntries([awaited.entryOf(request)], true)
    const turn = unawaited.applyEntries([unawaited.entryOf(request)], false)
    expect(turn.outcomes).toEqual([])
    expect(unawaited.dump()).toBe(awaited.dump())
  })
})

describe('alarms', () => {
  const raise = (alarm: 1 | 2): LoggedRequest => logged.alarm({ action: 1, memberID: 7n, alarm })
  const clear = (alarm: 1 | 2): LoggedRequest => logged.alarm({ action: 2, memberID: 7n, alarm })

  test('are listed, survive a restart and end when cleared', async () => {
    const fixture = await ApplyFixture.open()
    fixture.apply(raise(1))
    fixture.apply(raise(1))
    const expected = [{ memberId: 7n, alarm: 'noSpace' }]
    expect(fixture.apply(logged.alarm({ action: 0 }))).toMatchObject({ alarms: expected })
    await fixture.backend.close()
    await fixture.reopen()
    expect(fixture.state.alarms.list()).toEqual(expected)
    expect(fixture.apply(clear(2))).toMatchObject({ alarms: [] })
    expect(fixture.apply(clear(1))).toMatchObject({ alarms: expected })
    expect(fixture.apply(logged.alarm({ action: 0 }))).toMatchObject({ alarms: [] })
  })

  test('about space refuse what grows and nothing else', async () => {
    const fixture = await ApplyFixture.open()
    fixture.put('a')
    fixture.apply(raise(1))
    expect(fixture.refusalOf(logged.put(put('a')))).toBe('noSpace')
    expect(fixture.refusalOf(logged.put(put('')))).toBe('noSpace')
    const either: RequestOp[] = [op.put(put('b'))]
    expect(fixture.refusalOf(logged.txn(txn({ failure: either })))).toBe('noSpace')
    expect(
      fixture.refusalOf(logged.txn(txn({ success: [op.txn(txn({ success: either }))] }))),
    ).toBe('noSpace')
    expect(
      fixture.refusalOf(logged.txn(txn({ success: [op.deletion(deletion('b'))] }))),
    ).toBeUndefined()
    expect(fixture.refusalOf(logged.deletion(deletion('a')))).toBeUndefined()
    expect(fixture.refusalOf(logged.compact(2n))).toBeUndefined()
  })

  test('about corruption refuse every change of keys', async () => {
    const fixture = await ApplyFixture.open()
    fixture.apply(raise(2))
    for (const request of [
      logged.put(put('a')),
      logged.deletion(deletion('a')),
      logged.compact(1n),
    ]) {
      expect(fixture.refusalOf(request)).toBe('corrupt')
    }
    expect(fixture.refusalOf(logged.txn(txn({})))).toBe('corrupt')
    expect(fixture.refusalOf(clear(2))).toBeUndefined()
    expect(fixture.refusalOf(logged.put(put('a')))).toBeUndefined()
  })
})

describe('configuration entries', () => {
  const member = (id: bigint, url: string, isLearner = false) => ({
    id: nodeId(id),
    name: '',
    peerUrls: [url],
    clientUrls: [],
    isLearner,
  })

  test('change members and Raft alike, or neither', async () => {
    const fixture = await ApplyFixture.open()
    const given: unknown[] = []
    const confState = {
      voters: [nodeId(1n)],
      learners: [],
      votersOutgoing: [],
      learnersNext: [],
      autoLeave: false,
    }
    const change = (change: Parameters<typeof encodeMembershipEntry>[0]['change']): unknown => {
      const index = fixture.nextIndex++
      const data = encodeMembershipEntry({ id: requestId(BigInt(index)), change })
      const turn = fixture.applier.apply([{ index, term: 1, kind: 'confChange', data }], {
        applyConfChange: (raftChange) => {
          given.push(raftChange.changes[0])
          return confState
        },
        isAwaited: () => true,
      })
      const outcome = turn.outcomes[0]?.outcome
      return outcome instanceof Error ? outcome.code : 'done'
    }
    const answers = [
      change({ kind: 'add', member: member(1n, 'http://a:1') }),
      change({ kind: 'add', member: member(1n, 'http://b:1') }),
      change({ kind: 'add', member: member(2n, 'http://a:1') }),
      change({ kind: 'add', member: member(2n, 'http://b:1', true) }),
      change({ kind: 'add', member: member(3n, 'http://c:1', true) }),
      change({ kind: 'promote', id: nodeId(1n) }),
      change({ kind: 'promote', id: nodeId(2n) }),
      change({ kind: 'updatePeerUrls', id: nodeId(2n), peerUrls: ['http://a:1'] }),
      change({ kind: 'updatePeerUrls', id: nodeId(2n), peerUrls: ['http://d:1'] }),
      change({ kind: 'remove', id: nodeId(9n) }),
      change({ kind: 'remove', id: nodeId(2n) }),
      change({ kind: 'add', member: member(2n, 'http://b:1') }),
    ]
    expect(answers).toEqual([
      'done',
      'memberExist',
      'peerUrlExist',
      'done',
      'tooManyLearners',
      'memberNotLearner',
      'done',
      'peerUrlExist',
      'done',
      'memberNotFound',
      'done',
      'memberExist',
    ])
    const nothing = { action: 'update', node: noNode }
    expect(given).toEqual([
      { action: 'addVoter', node: 1n },
      nothing,
      nothing,
      { action: 'addLearner', node: 2n },
      nothing,
      nothing,
      { action: 'addVoter', node: 2n },
      nothing,
      { action: 'update', node: 2n },
      nothing,
      { action: 'remove', node: 2n },
      nothing,
    ])
    expect(readAppliedState(fixture.backend)).toEqual({ index: 12, term: 1, confState })
    await fixture.backend.close()
    await fixture.reopen()
    expect(fixture.state.membership.list()).toEqual([member(1n, 'http://a:1')])
    expect(fixture.state.membership.isRemoved(nodeId(2n))).toBe(true)
  })
})

/** Requests over few keys, so that they meet each other. */
const key = fc.constantFrom('a', 'b', 'c', 'd', 'aa', 'ab')
const aPut = fc
  .tuple(key, fc.string({ maxLength: 3 }), fc.boolean(), fc.constantFrom(0n, 0n, 0n, 5n))
  .map(([of, value, ignoreValue, lease]) =>
    put(of, ignoreValue ? '' : value, { ignoreValue, lease, prevKv: true }),
  )
const aDeletion = fc
  .tuple(key, fc.constantFrom('', 'c', '\0'))
  .map(([from, to]) => deletion(from, to))
const aRange = fc
  .tuple(key, fc.constantFrom('', '\0'), fc.integer({ min: -1, max: 12 }))
  .map(([from, end, revision]) => range(from, { rangeEnd: bytes(end), revision: BigInt(revision) }))
const anOperation: fc.Arbitrary<RequestOp> = fc.oneof(
  aPut.map(op.put),
  aDeletion.map(op.deletion),
  aRange.map(op.range),
)
const aCondition: fc.Arbitrary<Compare> = fc
  .tuple(key, fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 4 }))
  .map(([of, result, version]) => ({
    key: bytes(of),
    result: result as Compare['result'],
    target: 0,
    targetUnion: { $case: 'version', value: BigInt(version) },
    rangeEnd: bytes(''),
  }))
const aTxn = fc
  .tuple(
    fc.array(aCondition, { maxLength: 2 }),
    fc.array(anOperation, { maxLength: 4 }),
    fc.array(anOperation, { maxLength: 4 }),
  )
  .map(([compare, success, failure]) => txn({ compare, success, failure }))
const aRequest: fc.Arbitrary<LoggedRequest> = fc.oneof(
  { weight: 4, arbitrary: aPut.map(logged.put) },
  { weight: 2, arbitrary: aDeletion.map(logged.deletion) },
  { weight: 3, arbitrary: aTxn.map(logged.txn) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 12 }).map((at) => logged.compact(BigInt(at))) },
)

describe('applying is a function of the log', () => {
  test('however the entries are divided into runs', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(aRequest, { minLength: 1, maxLength: 25 }),
        fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 25 }),
        async (requests, runLengths) => {
          const [single, grouped] = [await ApplyFixture.open(), await ApplyFixture.open()]
          const answers = requests.map((request) => describeOutcome(single.apply(request)))
          const entries = requests.map((request) => grouped.entryOf(request))
          const groupedAnswers: string[] = []
          for (let start = 0, run = 0; start < entries.length; run++) {
            const length = runLengths[run % runLengths.length] ?? 1
            const turn = grouped.applyEntries(entries.slice(start, start + length))
            groupedAnswers.push(...turn.outcomes.map(({ outcome }) => describeOutcome(outcome)))
            start += length
          }
          expect(groupedAnswers).toEqual(answers)
          expect(grouped.dump()).toBe(single.dump())
          const hashes = await Promise.all(
            [single, grouped].map(({ state }) => state.store.hashAt(0)),
          )
          expect(hashes[0]).toEqual(hashes[1])
        },
      ),
      { numRuns: 300 },
    )
  })

  test('whatever prefix of the batches survives a crash, replay gives the same state', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(aRequest, { minLength: 2, maxLength: 20 }),
        fc.nat(20),
        async (requests, keptBatchCount) => {
          const fixture = await ApplyFixture.open()
          const entries = requests.map((request) => fixture.entryOf(request))
          for (const entry of entries) fixture.applyEntries([entry])
          const expected = fixture.dump()
          fixture.backend.crash({ keptBatchCount })
          await fixture.reopen()
          fixture.applyEntries(entries)
          expect(fixture.dump()).toBe(expected)
        },
      ),
      { numRuns: 300 },
    )
  })
})

function describeOutcome(outcome: unknown): string {
  if (outcome instanceof Error) return outcome.message
  return JSON.stringify(outcome, (name, value: unknown) => {
    if (typeof value === 'bigint') return value.toString()
    return value instanceof Uint8Array
      ? Buffer.from(value).toString('hex')
      : name === 'encoded'
        ? undefined
        : value
  })
}
