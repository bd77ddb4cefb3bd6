import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkTxn } from '../../../../src/core/rpc/request-validation.ts'
import { StoreError } from '../../../../src/core/errors/store-error.ts'
import { TxnRequest, type RequestOp } from '../../../../src/core/proto/gen/rpc.ts'
import type { TxnOperation } from '../../../../src/preload/contract/kv.ts'
import { problemsOf } from '../../../../src/renderer/stores/query-check.ts'
import {
  endsOf,
  parseLease,
  parseNumber,
  txnPartsOf,
} from '../../../../src/renderer/stores/query-compile.ts'
import { getCommandOf, txnInputOf } from '../../../../src/renderer/stores/query-command.ts'
import {
  asText,
  emptyRange,
  emptyTxn,
  moved,
  newCompare,
  newOperation,
  plainRead,
  type OperationDraft,
  type TxnDraft,
} from '../../../../src/renderer/stores/query-draft.ts'
import { evaluate, judge, readsOf } from '../../../../src/renderer/stores/query-evaluate.ts'
import { jsonFaultOffset } from '../../../../src/renderer/stores/json-fault.ts'
import { jsonOfTxn, txnOfJson } from '../../../../src/renderer/stores/query-json.ts'
import { templateNames, txnOfTemplate } from '../../../../src/renderer/stores/query-templates.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const put = (key: string): OperationDraft => ({
  ...{ id: newOperation('put').id, kind: 'put', key, value: asText('v'), lease: '' },
})
const remove = (kind: 'key' | 'prefix', key: string): OperationDraft => ({
  ...{ id: newOperation('delete').id, kind: 'delete', needsPrevious: true },
  range: { ...emptyRange, kind, key },
})
const nested = (txn: TxnDraft): OperationDraft => ({
  ...{ id: newOperation('txn').id, kind: 'txn', txn },
})
const then = (...thenOperations: OperationDraft[]): TxnDraft => ({ ...emptyTxn, thenOperations })

/** What is the same in two drafts: everything but the ids of their rows. */
function plain(draft: TxnDraft): unknown {
  return JSON.parse(JSON.stringify(draft, (name, value: unknown) => (name === 'id' ? 0 : value)))
}

const keys = fc.constantFrom('/a', '/a/b', '/a/c', '/b')
const leaf: fc.Arbitrary<OperationDraft> = fc.oneof(
  keys.map(put),
  keys.map((key) => remove('key', key)),
  keys.map((key) => remove('prefix', key)),
)
const branch = (operation: fc.Arbitrary<OperationDraft>): fc.Arbitrary<OperationDraft[]> =>
  fc.array(operation, { maxLength: 4 })
const inner = fc
  .record({ thenOperations: branch(leaf), elseOperations: branch(leaf) })
  .map((parts) => nested({ ...emptyTxn, ...parts }))
const drafts: fc.Arbitrary<TxnDraft> = fc
  .record({
    thenOperations: branch(fc.oneof(leaf, inner)),
    elseOperations: branch(fc.oneof(leaf, inner)),
  })
  .map((parts) => ({ ...emptyTxn, ...parts }))

function wireOf(operation: TxnOperation): RequestOp {
  if (operation.kind === 'put') {
    const { key, value } = operation
    const request = { key, value, lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false }
    return { request: { $case: 'requestPut', value: request } }
  }
  if (operation.kind === 'delete') {
    const { start, end } = endsOf(operation.range)
    const rangeEnd = end ?? new Uint8Array(0)
    if (rangeEnd === 'toLastKey') throw new Error('not drawn here')
    return {
      request: { $case: 'requestDeleteRange', value: { key: start, rangeEnd, prevKv: false } },
    }
  }
  if (operation.kind !== 'txn') throw new Error('not drawn here')
  const value = {
    compare: [],
    success: operation.thenOperations.map(wireOf),
    failure: operation.elseOperations.map(wireOf),
  }
  return { request: { $case: 'requestTxn', value: TxnRequest.fromPartial(value) } }
}

describe('problemsOf', () => {
  test('finds keys written twice exactly where a server refuses the transaction', () => {
    fc.assert(
      fc.property(drafts, (draft) => {
        const parts = txnPartsOf(draft)
        if (parts === undefined) throw new Error('every drawn draft is complete')
        const request = TxnRequest.fromPartial({
          success: parts.thenOperations.map(wireOf),
          failure: parts.elseOperations.map(wireOf),
        })
        let refusal: string | undefined
        try {
          checkTxn(request, 128)
        } catch (error) {
          if (!(error instanceof StoreError)) throw error
          refusal = error.code
        }
        const isFound = problemsOf(draft).some((problem) => problem.code === 'duplicateKey')
        expect(isFound ? 'duplicateKey' : undefined).toBe(refusal)
      }),
      { numRuns: 2_000 },
    )
  })

  test('names both rows that write the same key', () => {
    const [first, second] = [remove('prefix', '/a'), put('/a/b')]
    expect(problemsOf(then(first, second))).toEqual([
      {
        ...{ rowId: second.id, otherRowId: first.id, code: 'duplicateKey' },
        ...{ isWarning: false, detail: '/a/b' },
      },
    ])
  })

  test.each([
    ['an empty key', then(put('')), 'emptyKey'],
    [
      'a bad lease',
      then({ ...newOperation('put'), key: 'k', lease: 'xyz' } as OperationDraft),
      'badLease',
    ],
    [
      'a range without an end',
      then({
        ...newOperation('range'),
        range: { kind: 'interval', key: 'a', end: '' },
      } as OperationDraft),
      'noEnd',
    ],
    [
      'a limit that is no number',
      then({
        ...{ id: 1, kind: 'range', range: { ...emptyRange, key: 'a' } },
        options: { ...plainRead, limit: 'ten' },
      }),
      'badRead',
    ],
    [
      'a version that is no number',
      { ...emptyTxn, compares: [{ ...newCompare('k'), operand: asText('one') }] },
      'badNumber',
    ],
    [
      'a value that is no base64',
      {
        ...emptyTxn,
        compares: [
          { ...newCompare('k'), target: 'value' as const, operand: { text: '*', isBase64: true } },
        ],
      },
      'badBase64',
    ],
  ])('%s is a problem', (_name, draft, code) => {
    expect(problemsOf(draft).map((problem) => problem.code)).toEqual([code])
  })

  test('more operations than a server usually takes are a warning, each level taking off the next', () => {
    const many = Array.from({ length: 100 }, (_, at) => put(`/k${String(at)}`))
    expect(problemsOf(then(...many))).toEqual([])
    const problems = problemsOf(then(...many, nested(then(...many.slice(0, 50)))))
    expect(problems.filter((problem) => problem.code === 'tooManyOperations')).toEqual([
      { code: 'tooManyOperations', isWarning: true, detail: '50 / 27' },
    ])
  })
})

describe('JSON', () => {
  test.each(templateNames)('of the template %s stands for the same transaction', (name) => {
    const draft = txnOfTemplate(name)
    const reading = txnOfJson(jsonOfTxn(draft))
    expect(reading.kind === 'read' ? plain(reading.draft) : reading).toEqual(plain(draft))
    expect(problemsOf(draft)).toEqual([])
  })

  test('of any draft stands for the same one, also for text that is no number yet', () => {
    const text = fc.string({ maxLength: 6 })
    const operand = fc.record({ text, isBase64: fc.constant(false) })
    const compare = fc
      .record({
        target: fc.constantFrom('value' as const, 'version' as const, 'lease' as const),
        relation: fc.constantFrom('=' as const, '!=' as const, '<' as const, '>' as const),
        key: text,
        operand,
      })
      .map(({ key, ...rest }) => ({ ...newCompare(key), ...rest }))
    const limit = fc.oneof(fc.constantFrom('', '007', '5', 'r3', '1e3'), text)
    const read = fc.tuple(text, limit).map(([key, given]): OperationDraft => ({
      ...{ id: 0, kind: 'range', range: { ...emptyRange, key } },
      options: { ...plainRead, limit: given },
    }))
    fc.assert(
      fc.property(fc.array(compare, { maxLength: 3 }), drafts, read, (compares, draft, one) => {
        const whole = { ...draft, compares, elseOperations: [...draft.elseOperations, one] }
        const reading = txnOfJson(jsonOfTxn(whole))
        expect(reading.kind === 'read' ? plain(reading.draft) : reading).toEqual(plain(whole))
      }),
    )
  })

  test('that is broken at a place is found broken there', () => {
    fc.assert(
      fc.property(fc.json(), fc.nat(), (text, seed) => {
        const at = seed % (text.length + 1)
        // A sign that no JSON text holds outside of a string, behind one that is whole so far.
        const broken = `${text.slice(0, at)}\u0001${text.slice(at)}`
        expect(() => void JSON.parse(broken)).toThrow(SyntaxError)
        expect(jsonFaultOffset(broken)).toBeLessThanOrEqual(at)
        expect(jsonFaultOffset(text)).toBe(text.length)
      }),
    )
    expect(jsonFaultOffset('{"a": [1, 2,]}')).toBe(12)
    expect(jsonFaultOffset('{"a" 1}')).toBe(5)
    expect(jsonFaultOffset('[1] 2')).toBe(4)
    expect(jsonFaultOffset('{"a": tru}')).toBe(6)
    expect(jsonFaultOffset('{"a": ')).toBe(6)
  })

  test('that cannot be read says where', () => {
    const place = (text: string): readonly (readonly [number, number])[] => {
      const reading = txnOfJson(text)
      return reading.kind === 'read'
        ? []
        : reading.problems.map(({ line, column }) => [line, column] as const)
    }
    expect(place('{\n  "compare": [}\n}')).toEqual([[2, 15]])
    expect(place('{\n  "success": [\n    { "put": { "key": 5 } }\n  ]\n}')).toEqual([[3, 23]])
    expect(place('{\n  "failure": [{ "put": { "key": "a" }, "txn": {} }]\n}')).toEqual([[2, 15]])
  })
})

describe('evaluate', () => {
  const pair = { key: bytes('k'), value: bytes('v'), createRevision: 5, modRevision: 7, version: 2 }
  const found = { ...pair, lease: 0n }

  test('a key that does not exist is 0 in every figure and has no value', () => {
    const key = bytes('k')
    const version = { key, relation: 'equal', operand: { kind: 'version', version: 0 } } as const
    const value = { key, relation: 'notEqual', operand: { kind: 'value', value: key } } as const
    expect(judge(version, [], false)).toBe('true')
    expect(judge(value, [], false)).toBe('false')
  })

  test('a range holds if all of its keys do, and is unknown while more exist', () => {
    const compare = {
      ...{ key: bytes('a'), end: bytes('z'), relation: 'greater' as const },
      operand: { kind: 'modRevision' as const, modRevision: 6 },
    }
    expect(judge(compare, [found, found], false)).toBe('true')
    expect(judge(compare, [found, { ...found, modRevision: 6 }], true)).toBe('false')
    expect(judge(compare, [found], true)).toBe('unknown')
  })

  test('every condition, target and branch is found out, also of a transaction inside', () => {
    const draft = txnOfTemplate('counter')
    const reads = readsOf(draft)
    expect(reads).toHaveLength(5)
    const replies = new Map(
      reads.map(({ rowId }) => [
        rowId,
        { kind: 'range', count: 0, hasMore: false, pairs: [] } as const,
      ]),
    )
    const { branches, revision } = evaluate(draft, 9, replies)
    const innerId = draft.elseOperations[0]?.id ?? -1
    expect([revision, branches.get(0), branches.get(innerId)]).toEqual([9, 'else', 'then'])
  })
})

describe('commands', () => {
  test('a transaction becomes what etcdctl reads, every odd byte escaped', () => {
    const draft: TxnDraft = {
      compares: [newCompare('/a)"')],
      thenOperations: [put('/a\\x0a'), remove('prefix', '/q')],
      elseOperations: [],
    }
    const parts = txnPartsOf(draft)
    expect(parts === undefined ? undefined : txnInputOf(parts)).toEqual({
      kind: 'text',
      text: 'version("/a)\\x22") = "0"\n\nput "/a\\x0a" "v"\ndel --prev-kv --prefix "/q"\n\n\n',
    })
  })

  test('a transaction inside of another is no command', () => {
    const parts = txnPartsOf(then(nested(then(put('/a')))))
    expect(parts === undefined ? undefined : txnInputOf(parts)).toEqual({
      kind: 'obstacle',
      obstacle: 'nested',
    })
  })

  test('a range becomes a command with its options', () => {
    const options = { limit: 5, sort: { by: 'modRevision', isDescending: true }, isKeysOnly: true }
    expect(
      getCommandOf(
        { kind: 'prefix', prefix: bytes('/a b') },
        { ...options, sort: { by: 'modRevision', isDescending: true }, isSerializable: true },
      ),
    ).toBe(
      "etcdctl get --prefix '/a b' --limit=5 --sort-by=MODIFY --order=DESCEND --keys-only --consistency=s",
    )
  })
})

describe('fields', () => {
  test('numbers are whole and safe, leases up to sixteen digits', () => {
    expect(['7', 'r7', ' 7 ', '', '-1', '1.5', '99999999999999999'].map(parseNumber)).toEqual([
      ...[7, 7, 7, undefined, undefined, undefined, undefined],
    ])
    expect(['ff', '7fffffffffffffff', 'ffffffffffffffff', 'x'].map(parseLease)).toEqual([
      ...[255n, 0x7fffffffffffffffn, undefined, undefined],
    ])
  })

  test('a row moves between the others, and stops at the ends', () => {
    expect(moved(['a', 'b', 'c'], 0, 2)).toEqual(['b', 'c', 'a'])
    expect(moved(['a', 'b', 'c'], 0, -1)).toEqual(['a', 'b', 'c'])
  })
})
