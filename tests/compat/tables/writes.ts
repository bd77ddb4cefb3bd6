/** Puts, deletes and compaction with everything that they can be asked. */
import { expect } from 'vitest'
import { bytes, call, steps, type Fields, type Step } from './step.ts'

const maxInt64 = 9_223_372_036_854_775_807n

/** All combinations of the flags of a put, on a key that is there and on one that is not. */
function puts(): Step[] {
  const flags = [false, true]
  const combinations = flags.flatMap((isThere) =>
    flags.flatMap((ignoreValue) =>
      flags.flatMap((ignoreLease) =>
        ['', 'v'].flatMap((value) =>
          [0n, 7_101n, 7_999n].map((lease) => ({
            isThere,
            ignoreValue,
            ignoreLease,
            value,
            lease,
          })),
        ),
      ),
    ),
  )
  return combinations.map(({ isThere, value, ...fields }, position) => {
    const key = isThere ? 'w/there' : `w/missing${position}`
    const wishes = [
      fields.ignoreValue && 'keeps the value',
      fields.ignoreLease && 'keeps the lease',
    ]
    return call(
      `put ${key} ${wishes.filter(Boolean).join(' and ')} "${value}" ${fields.lease}`,
      'put',
      { ...fields, key: bytes(key), value: bytes(value), prevKv: position % 2 === 0 },
    )
  })
}

function deletes(): Step[] {
  const ranges: readonly Fields<'deleteRange'>[] = [
    {},
    { rangeEnd: bytes('z') },
    { key: bytes('w/none') },
    { key: bytes('w/none'), prevKv: true },
    { key: bytes('w/2'), rangeEnd: bytes('w/1') },
    { key: bytes('w/2'), rangeEnd: bytes('w/2') },
    { key: bytes('w/1') },
    { key: bytes('w/1'), prevKv: true },
    { key: bytes('w/1'), rangeEnd: bytes('w/3') },
    { key: bytes('w/1'), rangeEnd: bytes('w/3'), prevKv: true },
    { key: bytes('w/2'), rangeEnd: bytes('\0'), prevKv: true },
    { key: bytes('\0'), rangeEnd: bytes('w/2'), prevKv: true },
    { key: bytes('\0'), rangeEnd: bytes('\0') },
  ]
  return ranges.flatMap((fields, position) => [
    ...['w/1', 'w/2', 'w/3'].map((key) =>
      call(`put ${key} before delete ${position}`, 'put', {
        key: bytes(key),
        value: bytes(`${position}`),
      }),
    ),
    call(`delete ${position}`, 'deleteRange', fields),
    call(`range after delete ${position}`, 'range', { key: bytes('w/'), rangeEnd: bytes('w0') }),
  ])
}

/** Keys and values of awkward bytes and lengths. */
function shapes(): Step[] {
  const keys = [
    '\0',
    '\0\0',
    '\xff',
    '\xff\xff\xff',
    'w/\0',
    'w/é',
    '__proto__',
    'constructor',
    'k'.repeat(511),
    'k'.repeat(512),
    'k'.repeat(4_096),
  ]
  return keys.flatMap((key) => [
    call(`put of ${JSON.stringify(key.slice(0, 12))} (${key.length})`, 'put', {
      key: bytes(key),
      value: bytes(key),
      prevKv: true,
    }),
    call(`range of ${JSON.stringify(key.slice(0, 12))} (${key.length})`, 'range', {
      key: bytes(key),
    }),
    call(`delete of ${JSON.stringify(key.slice(0, 12))} (${key.length})`, 'deleteRange', {
      key: bytes(key),
      prevKv: true,
    }),
  ])
}

/** Writes. */
export function writeSteps(): readonly Step[] {
  return [
    call('lease for the puts', 'leaseGrant', { ID: 7_101n, TTL: 600n }),
    call('put without a key', 'put', { value: bytes('v') }),
    call('put without a key that keeps its value', 'put', { ignoreValue: true, value: bytes('v') }),
    call('put without a key that keeps its lease', 'put', { ignoreLease: true, lease: 1n }),
    call('put without anything', 'put', {}),
    call('put of the key', 'put', { key: bytes('w/there'), value: bytes('first') }),
    ...puts(),
    call('time of the lease and its keys', 'leaseTimeToLive', { ID: 7_101n, keys: false }),
    call('revocation of the lease', 'leaseRevoke', { ID: 7_101n }),
    call('what is left', 'range', { key: bytes('w/'), rangeEnd: bytes('w0') }),
    ...shapes(),
    ...deletes(),
  ]
}

/** Compaction, and history after it. Revisions are relative, so that it can be run again on the same cluster. */
export function compactionSteps(): readonly Step[] {
  const history = ['1', '2', '3', '4', '5', '6'].map((value) =>
    call(`put ${value} for compaction`, 'put', { key: bytes('h/a'), value: bytes(value) }),
  )
  const before = 2n
  return [
    steps('revision before compaction', '/etcdserverpb.KV/Range', async ({ client, kept }) => {
      const { header } = await client.must('range', { key: bytes('h/a') })
      kept.set('before compaction', header?.revision ?? 0n)
      return String(header?.revision)
    }),
    ...history,
    call('delete for compaction', 'deleteRange', { key: bytes('h/a') }),
    call('put after the delete', 'put', { key: bytes('h/a'), value: bytes('again') }),
    ...[maxInt64, -1n, -maxInt64 - 1n].map((revision) =>
      call(`compaction to ${revision}`, 'compact', { revision }),
    ),
    call('compaction one too far', 'compact', ({ kept }) => ({ revision: at(kept, 9n) })),
    call('compaction', 'compact', ({ kept }) => ({
      revision: at(kept, before),
      physical: true,
    })),
    call('compaction to the same', 'compact', ({ kept }) => ({ revision: at(kept, before) })),
    call('compaction before it', 'compact', ({ kept }) => ({ revision: at(kept, before - 1n) })),
    call('compaction to 0', 'compact', { revision: 0n }),
    ...[0n, 1n, 2n, 3n, 8n, 9n].flatMap((distance) => [
      call(`range at ${distance} after compaction`, 'range', ({ kept }) => ({
        key: bytes('h/a'),
        revision: at(kept, distance),
      })),
      ...hashUnless(2n, distance),
      call(`read within a transaction at ${distance}`, 'txn', ({ kept }) => ({
        success: [
          {
            request: {
              $case: 'requestRange' as const,
              value: { key: bytes('h/a'), revision: at(kept, distance) },
            },
          },
        ],
      })),
    ]),
    call('physical compaction', 'compact', ({ kept }) => ({
      revision: at(kept, 7n),
      physical: true,
    })),
    ...[6n, 7n, 8n].flatMap((distance) => [
      call(`range at ${distance} after physical compaction`, 'range', ({ kept }) => ({
        key: bytes('h/'),
        rangeEnd: bytes('h0'),
        revision: at(kept, distance),
      })),
      ...hashUnless(7n, distance),
    ]),
    call('hash now', 'hashKv', {}, hashRevision),
    call('hash at a negative revision', 'hashKv', { revision: -1n }, hashRevision),
    call('hash at the last revision there can be', 'hashKv', { revision: maxInt64 }, hashRevision),
    call('compaction to the newest', 'compact', ({ kept }) => ({
      revision: at(kept, 8n),
      physical: true,
    })),
    call('range of all after compaction', 'range', {
      key: bytes('\0'),
      rangeEnd: bytes('\0'),
    }),
    call('hash of all after compaction', 'hashKv', {}, hashRevision),
  ]
}

/** The hash at the compacted revision itself is that of before it, which our node keeps only for the check that wants it. */
function hashUnless(compacted: bigint, distance: bigint): Step[] {
  if (distance === compacted) return []
  return [
    call(
      `hash at ${distance} after the compaction of ${compacted}`,
      'hashKv',
      ({ kept }) => ({ revision: at(kept, distance) }),
      hashRevision,
    ),
  ]
}

function at(kept: ReadonlyMap<string, bigint>, distance: bigint): bigint {
  return (kept.get('before compaction') ?? 0n) + distance
}

/** The revision that was hashed is told since 3.6. */
function hashRevision(answer: unknown): unknown {
  const { response, ...others } = answer as { response?: object }
  return {
    ...others,
    response:
      response === undefined
        ? response
        : { ...response, hashRevision: expect.any(String) as unknown },
  }
}
