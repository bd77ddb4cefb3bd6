/** Transactions: every comparison, nesting, limits, duplicate keys, and in which order faults are found. */
import type { Compare } from '../../../src/core/proto/gen/rpc.ts'
import { bytes, call, pure, type Fields, type Step } from './step.ts'

const maxInt64 = 9_223_372_036_854_775_807n

type Operation = NonNullable<Fields<'txn'>['success']>[number]
type Txn = Fields<'txn'>
type Target = Compare['targetUnion']
type Condition = NonNullable<Txn['compare']>[number]

const putOp = (key: string, fields: Fields<'put'> = {}): Operation => ({
  request: { $case: 'requestPut', value: { key: bytes(key), value: bytes('v'), ...fields } },
})
const rangeOp = (key: string, fields: Fields<'range'> = {}): Operation => ({
  request: { $case: 'requestRange', value: { key: bytes(key), ...fields } },
})
const deleteOp = (key: string, rangeEnd = '', prevKv = false): Operation => ({
  request: {
    $case: 'requestDeleteRange',
    value: { key: bytes(key), rangeEnd: bytes(rangeEnd), prevKv },
  },
})
const txnOp = (value: Txn): Operation => ({ request: { $case: 'requestTxn', value } })
const noOp: Operation = { request: undefined }
const condition = (key: string, fields: Omit<Condition, 'key'> = {}): Condition => ({
  key: bytes(key),
  ...fields,
})
const many = (count: number, make: (position: number) => Operation): Operation[] =>
  Array.from({ length: count }, (_, position) => make(position))

/** Comparisons of `t/a` (version 2), `t/b` (version 1, with a lease), nothing, and ranges of them. */
function comparisons(): Step[] {
  const targets: readonly (readonly [Condition['target'], (base: bigint) => readonly Target[]])[] =
    [
      [0, () => [0n, 1n, 2n, 3n].map((value) => ({ $case: 'version', value }))],
      [
        1,
        (base) => [0n, base + 2n, base + 3n].map((value) => ({ $case: 'createRevision', value })),
      ],
      [2, (base) => [0n, base + 3n, base + 4n].map((value) => ({ $case: 'modRevision', value }))],
      [3, () => ['', 'one', 'two', 'z'].map((text) => ({ $case: 'value', value: bytes(text) }))],
      [4, () => [0n, 7_201n, maxInt64].map((value) => ({ $case: 'lease', value }))],
    ]
  const places = [
    ['t/a', ''],
    ['t/none', ''],
    ['t/', 't0'],
    ['t/none', 't/nonf'],
  ] as const
  return targets.flatMap(([target, valuesOf]) =>
    ([0, 1, 2, 3] as const).flatMap((result) =>
      places.flatMap(([key, rangeEnd]) =>
        [...valuesOf(0n).keys()].map((position) =>
          call(
            `comparison of ${JSON.stringify([key, rangeEnd])}, target ${String(target)}, result ${result}, value ${position}`,
            'txn',
            ({ kept }) => ({
              compare: [
                condition(key, {
                  target,
                  result,
                  rangeEnd: bytes(rangeEnd),
                  targetUnion: valuesOf(kept.get('transactions') ?? 0n)[position],
                }),
              ],
              success: [rangeOp('t/a')],
              failure: [rangeOp('t/b')],
            }),
          ),
        ),
      ),
    ),
  )
}

/** What one transaction says and does, and what all keys are after it. */
function run(name: string, fields: Txn | ((revision: bigint) => Txn)): Step[] {
  return [
    call(name, 'txn', ({ kept }) =>
      typeof fields === 'function' ? fields(kept.get('transactions') ?? 0n) : fields,
    ),
    call(`${name}: keys after it`, 'range', { key: bytes('t/'), rangeEnd: bytes('t0') }),
  ]
}

function good(): Step[] {
  const isOne: Condition = condition('t/a', {
    target: 0,
    targetUnion: { $case: 'version', value: 2n },
  })
  const isNone: Condition = condition('t/c', { target: 1 })
  return [
    ...run('nothing', {}),
    ...run('comparisons alone', { compare: [isOne, isNone] }),
    ...run('a comparison that fails alone', { compare: [condition('t/a', { target: 0 })] }),
    ...run('reads', { success: [rangeOp('t/', { rangeEnd: bytes('t0'), limit: 1n })] }),
    ...run('reads in an order', {
      success: [rangeOp('t/', { rangeEnd: bytes('t0'), sortOrder: 2, sortTarget: 3, limit: 2n })],
    }),
    ...run('reads counted', {
      success: [rangeOp('t/', { rangeEnd: bytes('t0'), countOnly: true })],
    }),
    ...run('stale reads', { success: [rangeOp('t/a', { serializable: true })] }),
    ...run('own writes are read', {
      success: [
        rangeOp('t/c'),
        putOp('t/c'),
        rangeOp('t/', { rangeEnd: bytes('t0'), sortTarget: 2, sortOrder: 2 }),
        deleteOp('t/c', '', true),
        rangeOp('t/c'),
        deleteOp('t/c', '', true),
      ],
    }),
    ...run('delete that does nothing', { success: [deleteOp('t/none')] }),
    ...run('a put among deletes that do nothing', {
      success: [deleteOp('t/none'), rangeOp('t/a'), putOp('t/d'), deleteOp('t/none2')],
    }),
    ...run('put with the pair before', { success: [putOp('t/d', { prevKv: true })] }),
    ...run('put that keeps the value', {
      success: [putOp('t/d', { value: bytes(''), ignoreValue: true, prevKv: true })],
    }),
    ...run('put that keeps the lease', {
      success: [putOp('t/b', { ignoreLease: true, value: bytes('one') })],
    }),
    ...run('nested: comparisons see the state before', {
      success: [
        putOp('t/e'),
        txnOp({ compare: [condition('t/e', { target: 1 })], success: [putOp('t/f')] }),
        txnOp({
          compare: [condition('t/f', { target: 0, result: 1 })],
          success: [putOp('t/g')],
          failure: [rangeOp('t/', { rangeEnd: bytes('t0'), countOnly: true })],
        }),
      ],
    }),
    ...run('nested reads', { success: [txnOp({ success: [rangeOp('t/a')] })] }),
    ...run('nested nothing', { success: [txnOp({})] }),
    ...run('nested five deep', {
      success: [
        txnOp({
          success: [txnOp({ success: [txnOp({ success: [txnOp({ success: [putOp('t/h')] })] })] })],
        }),
      ],
    }),
    ...run('then and else of one child on one key', {
      success: [txnOp({ success: [putOp('t/i')], failure: [putOp('t/i')] })],
    }),
    ...run('overlapping deletes', {
      success: [deleteOp('t/e', 't/h', true), deleteOp('t/f', 't/i', true), deleteOp('t/e')],
    }),
    ...run('put beside a delete to the end', {
      success: [putOp('u/a'), deleteOp('u/', '\0', true), rangeOp('u/', { rangeEnd: bytes('\0') })],
    }),
    ...run('put in a child, delete in the next', {
      success: [
        txnOp({ success: [putOp('t/j')] }),
        txnOp({ success: [deleteOp('t/j', 't/k', true)] }),
      ],
    }),
    ...run('reads at revisions', (revision) => ({
      success: [
        rangeOp('t/a', { revision: revision + 2n }),
        rangeOp('t/a', { revision: revision + 4n }),
        putOp('t/k'),
        rangeOp('t/a', { revision: revision + 3n }),
      ],
    })),
  ]
}

function bad(): Step[] {
  const emptyKeys: readonly (readonly [string, Txn])[] = [
    ['put', { success: [putOp('')] }],
    ['put not taken', { failure: [putOp('')] }],
    ['range', { success: [rangeOp('')] }],
    ['delete', { failure: [deleteOp('')] }],
    ['delete with an end', { success: [deleteOp('', 'z')] }],
    ['comparison', { compare: [condition('')] }],
    ['comparison of a child', { success: [txnOp({ compare: [condition('')] })] }],
    ['put of a child not taken', { failure: [txnOp({ failure: [putOp('')] })] }],
    ['second operation', { success: [putOp('t/x'), putOp('')] }],
  ]
  const flags: readonly (readonly [string, Operation])[] = [
    ['value with ignore_value', putOp('t/a', { ignoreValue: true })],
    ['lease with ignore_lease', putOp('t/a', { ignoreLease: true, lease: 7_201n })],
    ['both', putOp('t/a', { ignoreLease: true, ignoreValue: true, lease: 7_201n })],
    ['missing key keeps its value', putOp('t/x', { value: bytes(''), ignoreValue: true })],
    ['missing key keeps its lease', putOp('t/x', { ignoreLease: true })],
    ['missing lease', putOp('t/x', { lease: 7_299n })],
    ['nothing asked', noOp],
  ]
  return [
    ...emptyKeys.flatMap(([name, fields]) => run(`empty key: ${name}`, fields)),
    ...flags.flatMap(([name, operation]) => [
      ...run(`${name}, taken`, { success: [operation] }),
      ...run(`${name}, not taken`, { failure: [operation] }),
      ...run(`${name}, after a put`, { success: [putOp('t/y'), operation] }),
      ...run(`${name}, in a child`, { success: [txnOp({ success: [operation] })] }),
    ]),
    ...duplicates(),
    ...limits(),
    // Before the first compaction this one is no older than what is left.
    ...run('read at -1', { success: [rangeOp('t/a', { revision: -1n })] }),
    ...[-maxInt64, -2n, maxInt64].flatMap((revision) => [
      ...run(`read at ${revision}`, { success: [rangeOp('t/a', { revision })] }),
      ...run(`read at ${revision} after a put`, {
        success: [putOp('t/x'), rangeOp('t/a', { revision })],
      }),
      ...run(`read at ${revision} in a child`, {
        success: [txnOp({ success: [rangeOp('t/a', { revision })] })],
      }),
      ...run(`read at ${revision} not taken`, {
        success: [putOp('t/z')],
        failure: [rangeOp('t/a', { revision })],
      }),
    ]),
    ...run('read at the revision that is being made', {
      success: [putOp('t/x'), rangeOp('t/a', { revision: 1_000_000n })],
    }),
  ]
}

function duplicates(): Step[] {
  const cases: readonly (readonly [string, Txn])[] = [
    ['two puts', { success: [putOp('t/x'), putOp('t/x')] }],
    ['two puts not taken', { failure: [putOp('t/x'), putOp('t/x')] }],
    ['one in each branch', { success: [putOp('t/x')], failure: [putOp('t/x')] }],
    ['put, then delete', { success: [putOp('t/x'), deleteOp('t/x')] }],
    ['delete, then put', { success: [deleteOp('t/x'), putOp('t/x')] }],
    ['put in a deleted range', { success: [deleteOp('t/x', 't/z'), putOp('t/y')] }],
    ['put at the end of a deleted range', { success: [deleteOp('t/x', 't/y'), putOp('t/y')] }],
    ['put in a range deleted upside down', { success: [deleteOp('t/z', 't/x'), putOp('t/y')] }],
    ['put and a child that puts', { success: [putOp('t/x'), txnOp({ success: [putOp('t/x')] })] }],
    ['put and a child that would', { success: [putOp('t/x'), txnOp({ failure: [putOp('t/x')] })] }],
    [
      'two children that put',
      { success: [txnOp({ success: [putOp('t/x')] }), txnOp({ success: [putOp('t/x')] })] },
    ],
    [
      'a child that deletes, then a put',
      { success: [txnOp({ success: [deleteOp('t/', 't0')] }), putOp('t/x')] },
    ],
    [
      'a child that deletes, then one that puts',
      { success: [txnOp({ success: [deleteOp('t/x')] }), txnOp({ failure: [putOp('t/x')] })] },
    ],
    ['within a child', { success: [txnOp({ success: [putOp('t/x'), putOp('t/x')] })] }],
    [
      'within a grandchild',
      { failure: [txnOp({ failure: [txnOp({ success: [putOp('t/x'), putOp('t/x')] })] })] },
    ],
  ]
  return cases.flatMap(([name, fields]) => run(`duplicate: ${name}`, fields))
}

function limits(): Step[] {
  const child = (count: number): Operation =>
    txnOp({ success: many(count, (position) => rangeOp(`t/${position}`)) })
  const cases: readonly (readonly [string, Txn])[] = [
    ['128 reads', { success: many(128, (position) => rangeOp(`t/${position}`)) }],
    ['129 reads', { success: many(129, (position) => rangeOp(`t/${position}`)) }],
    ['129 not taken', { failure: many(129, (position) => rangeOp(`t/${position}`)) }],
    ['129 comparisons', { compare: Array.from({ length: 129 }, () => condition('t/a')) }],
    [
      '128 of each',
      {
        compare: Array.from({ length: 128 }, () => condition('t/a', { target: 4 })),
        success: many(128, (position) => rangeOp(`t/${position}`)),
        failure: many(128, (position) => rangeOp(`t/${position}`)),
      },
    ],
    ['127 and a child of one', { success: [...many(126, () => rangeOp('t/a')), child(1)] }],
    ['128 and a child of one', { success: [...many(127, () => rangeOp('t/a')), child(1)] }],
    ['a child of 127', { success: [child(127)] }],
    ['a child of 128', { success: [child(128)] }],
    [
      'a child of no operations in 128',
      { success: [...many(127, () => rangeOp('t/a')), txnOp({})] },
    ],
    ['too many, and an empty key', { success: many(129, () => rangeOp('')) }],
    ['too many, and duplicates', { success: many(129, () => putOp('t/a')) }],
    ['an empty key, and duplicates', { success: [putOp('t/a'), putOp('t/a'), putOp('')] }],
    [
      'a missing lease, and duplicates',
      { success: [putOp('t/a', { lease: 7_299n }), putOp('t/a')] },
    ],
    [
      'a missing lease, and a future read',
      { success: [putOp('t/a', { lease: 7_299n }), rangeOp('t/a', { revision: maxInt64 })] },
    ],
    [
      'a compacted read, and a future one',
      {
        success: [
          rangeOp('t/a', { revision: -7n }),
          rangeOp('t/b', { revision: maxInt64 }),
          putOp('t/c'),
        ],
      },
    ],
  ]
  return [
    ...cases.flatMap(([name, fields]) => run(`limit: ${name}`, fields)),
    // 3.5 looks at all puts before the first read; since 3.6 operations are checked in their order.
    call(
      'limit: a future read, and a missing lease',
      'txn',
      {
        success: [rangeOp('t/a', { revision: maxInt64 }), putOp('t/a', { lease: 7_299n })],
      },
      () => ({
        code: 11,
        text: 'etcdserver: mvcc: required revision is a future revision',
        response: undefined,
      }),
    ),
  ]
}

/** A read at a revision that is not there, beside a put. */
const tearing =
  /^(read at -?\d+ after a put|read at the revision that is being made|limit: a compacted read, and a future one)$/

/** Transactions. */
export function transactionSteps(): readonly Step[] {
  return allSteps().map((row) => ({ ...row, tearsMembersApart: tearing.test(row.name) }))
}

function allSteps(): readonly Step[] {
  return [
    call('clean for transactions', 'deleteRange', { key: bytes('\0'), rangeEnd: bytes('\0') }),
    call('lease for transactions', 'leaseGrant', { ID: 7_201n, TTL: 600n }),
    {
      name: 'revision before transactions',
      family: '/etcdserverpb.KV/Range',
      ask: async ({ client, kept }) => {
        const { header } = await client.must('range', { key: bytes('t/a') })
        kept.set('transactions', header?.revision ?? 0n)
        return String(header?.revision)
      },
    },
    call('first put for transactions', 'put', { key: bytes('t/a'), value: bytes('zero') }),
    call('second put for transactions', 'put', {
      key: bytes('t/b'),
      value: bytes('two'),
      lease: 7_201n,
    }),
    call('third put for transactions', 'put', { key: bytes('t/a'), value: bytes('one') }),
    ...pure(comparisons()),
    ...good(),
    ...bad(),
    call('revocation after transactions', 'leaseRevoke', { ID: 7_201n }),
    call('what transactions left', 'range', { key: bytes('\0'), rangeEnd: bytes('\0') }),
  ]
}
