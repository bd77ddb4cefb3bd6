/** Ranges: bounds, revisions, limits, filters and every order. */
import { bytes, call, pure, type Fields, type Step } from './step.ts'

const maxInt64 = 9_223_372_036_854_775_807n
const sortOrders = [0, 1, 2] as const
const sortTargets = [0, 1, 2, 3, 4] as const

/**
 * Six keys whose versions, creations, changes and values are all different, so that every order is decided: `r/a` … `r/f`,
 * written in such an order that the fourth is the oldest and the first the most often written.
 */
const writes: readonly (readonly [string, string])[] = [
  ...['d', 'b', 'f', 'a', 'e', 'c'].map((key, position) => [key, `${position}`] as const),
  ...['a', 'a', 'a', 'a', 'a', 'b', 'b', 'b', 'b', 'c', 'c', 'c', 'd', 'd', 'e'].map(
    (key, position) => [key, `${(position * 7) % 16}-${key}`] as const,
  ),
]

const everything = { key: bytes('\0'), rangeEnd: bytes('\0') }
const prefix = { key: bytes('r/'), rangeEnd: bytes('r0') }

/** Filters as distances from the revision before the table. */
type Relative = Readonly<Record<string, bigint>>
const filters: readonly Relative[] = [
  {},
  { minModRevision: 15n },
  { maxModRevision: 17n },
  { minCreateRevision: 2n, maxCreateRevision: 5n },
  { minModRevision: 12n, maxModRevision: 20n, minCreateRevision: 3n },
  { minModRevision: 20n, maxModRevision: 12n },
]

function orders(): Step[] {
  return sortTargets.flatMap((sortTarget) =>
    sortOrders.flatMap((sortOrder) =>
      [0n, 1n, 4n, 6n].flatMap((limit) =>
        filters.map((filter) =>
          call(
            `range by target ${sortTarget}, order ${sortOrder}, limit ${limit}, ${filterName(filter)}`,
            'range',
            ({ base }) => ({
              ...prefix,
              sortTarget,
              sortOrder,
              limit,
              ...Object.fromEntries(
                Object.entries(filter).map(([name, distance]) => [name, base + distance]),
              ),
            }),
          ),
        ),
      ),
    ),
  )
}

function filterName(filter: Relative): string {
  const parts = Object.entries(filter).map(([name, distance]) => `${name} ${distance}`)
  return parts.length === 0 ? 'all' : parts.join(', ')
}

function bounds(): Step[] {
  const starts = ['r/b', 'r/', '\0', 'r/bb', 'r/zz', '\xff']
  const ends = ['', '\0', 'r/d', 'r/b', 'r/a', 'r/\xff', '\xff\xff']
  return starts.flatMap((key) =>
    ends.flatMap((rangeEnd) =>
      [0n, 4n, 12n].map((distance) =>
        call(
          `range ${JSON.stringify([key, rangeEnd])} at ${distance === 0n ? 'the newest revision' : `revision + ${distance}`}`,
          'range',
          ({ base }) => ({
            key: bytes(key),
            rangeEnd: bytes(rangeEnd),
            revision: distance === 0n ? 0n : base + distance,
            limit: 5n,
          }),
        ),
      ),
    ),
  )
}

/** Keys alone: since 3.7 without their lease, which the index does not know. */
function withoutLeases(answer: unknown): unknown {
  const { response, ...others } = answer as { response: { kvs: { lease: string }[] } }
  return {
    ...others,
    response: { ...response, kvs: response.kvs.map((kv) => ({ ...kv, lease: '0' })) },
  }
}

function kinds(): Step[] {
  const flags: readonly Fields<'range'>[] = [
    { keysOnly: true },
    { countOnly: true },
    { keysOnly: true, countOnly: true },
    { serializable: true },
    { serializable: true, keysOnly: true },
    { serializable: true, countOnly: true, limit: 2n },
    { limit: -1n },
    { limit: maxInt64 },
    { limit: -maxInt64 - 1n },
    { limit: 5n, sortOrder: 2, countOnly: true },
    { limit: 3n, sortOrder: 2, keysOnly: true },
    { limit: 2n, sortTarget: 3, keysOnly: true },
    { limit: 2n, sortTarget: 1, sortOrder: 1, serializable: true },
    { minModRevision: -1n },
    { maxModRevision: -1n },
    { minCreateRevision: maxInt64 },
    { maxCreateRevision: maxInt64 },
    { minModRevision: maxInt64, countOnly: true },
  ]
  return flags.flatMap((fields) => {
    const name = JSON.stringify(fields, (_, value: unknown) =>
      typeof value === 'bigint' ? String(value) : value,
    )
    return [
      call(`range with ${name}`, 'range', { ...prefix, ...fields }),
      call(`range of one key with ${name}`, 'range', { key: bytes('r/c'), ...fields }),
      call(`range of a missing key with ${name}`, 'range', { key: bytes('r/missing'), ...fields }),
    ]
  })
}

function revisions(): Step[] {
  const absolute = [-maxInt64 - 1n, -1n, 0n, 1n, maxInt64]
  return [
    ...absolute.map((revision) =>
      call(`range at revision ${revision}`, 'range', { ...prefix, revision }),
    ),
    ...absolute.map((revision) =>
      call(`count at revision ${revision}`, 'range', { ...prefix, revision, countOnly: true }),
    ),
    ...[1n, 7n, 21n, 22n, 30n, 1_000n].map((distance) =>
      call(`stale range at revision + ${distance}`, 'range', ({ base }) => ({
        ...prefix,
        revision: base + distance,
        serializable: true,
      })),
    ),
    call('range without a key', 'range', {}),
    call('range without a key but with an end', 'range', { rangeEnd: bytes('z') }),
    call('range without a key, in an order', 'range', { sortOrder: 1, sortTarget: 4 }),
    call('stale range without a key', 'range', { serializable: true }),
    call('range without a key at a future revision', 'range', { revision: maxInt64 }),
  ]
}

/** Reads and the writes before them. */
export function readSteps(): readonly Step[] {
  return [
    ...writes.map(([key, value], position) =>
      call(`write ${position} before the reads`, 'put', {
        key: bytes(`r/${key}`),
        value: bytes(value),
        prevKv: position % 2 === 1,
      }),
    ),
    call('everything', 'range', everything),
    call('everything, newest first', 'range', { ...everything, sortTarget: 3, sortOrder: 2 }),
    call('lease for a read', 'leaseGrant', { ID: 7_001n, TTL: 600n }),
    call('put with a lease for a read', 'put', { key: bytes('r/leased'), lease: 7_001n }),
    call('keys alone', 'range', { key: bytes('r/leased'), keysOnly: true }, withoutLeases),
    call('keys alone, by value', 'range', {
      key: bytes('r/leased'),
      keysOnly: true,
      sortTarget: 4,
      sortOrder: 1,
    }),
    call('revocation after a read', 'leaseRevoke', { ID: 7_001n }),
    ...pure([...orders(), ...bounds(), ...kinds(), ...revisions()]),
  ]
}
