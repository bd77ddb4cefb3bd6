import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import type { Backend } from '../../../../src/core/backend/backend.ts'
import { MemoryBackendFactory } from '../../../../src/core/backend/memory-backend.ts'
import { bytesOfLatin1, hexOf, latin1Of } from '../../../../src/core/base/bytes.ts'
import { leaseId, noLease, type LeaseId } from '../../../../src/core/base/ids.ts'
import { leaseTtlSecondsMin } from '../../../../src/core/lease/lease.ts'
import { encodeLease, LeaseStore } from '../../../../src/core/lease/lease-store.ts'

const id = (number: number): LeaseId => leaseId(BigInt(number))
const key = bytesOfLatin1

let backend: Backend
let store: LeaseStore

beforeEach(async () => {
  backend = await new MemoryBackendFactory().open('leases')
  store = LeaseStore.open(backend)
})

function change(work: (batch: ReturnType<Backend['beginBatch']>) => void): void {
  const batch = backend.beginBatch()
  try {
    work(batch)
  } finally {
    backend.commitBatch(batch)
  }
}

function grant(lease: LeaseId, ttlSeconds = 60): void {
  change((batch) => {
    store.grant(batch, { id: lease, ttlSeconds, remainingTtlSeconds: 0 })
  })
}

function note(name: string, lease: LeaseId): void {
  change((batch) => {
    store.noteKey(batch, key(name), lease)
  })
}

const namesOf = (from: LeaseStore, lease: LeaseId): string[] => from.keysOf(lease).map(latin1Of)

describe('leases', () => {
  test('an id is granted once', () => {
    grant(id(7))
    expect(() => {
      grant(id(7))
    }).toThrow('lease already exists')
    expect(store.find(id(7))).toEqual({ id: 7n, ttlSeconds: 60, remainingTtlSeconds: 0 })
  })

  test('what is not there cannot be removed', () => {
    expect(() => {
      change((batch) => {
        store.remove(batch, id(7))
      })
    }).toThrow('requested lease not found')
  })

  test('a negative id and the longest time survive a restart', () => {
    grant(leaseId(-5n), 9_000_000_000)
    const reopened = LeaseStore.open(backend)
    expect(reopened.find(leaseId(-5n))?.ttlSeconds).toBe(9_000_000_000)
  })

  test('the record is byte for byte what etcd stores', () => {
    const bytes = encodeLease({ id: id(0x1234), ttlSeconds: 300, remainingTtlSeconds: 0 })
    expect(hexOf(bytes)).toBe('08b42410ac02')
  })

  test('what was written down as left of its time survives a restart', () => {
    grant(id(7))
    change((batch) => {
      store.checkpoint(batch, id(7), 12)
      store.checkpoint(batch, id(8), 12)
    })
    const reopened = LeaseStore.open(backend)
    expect(reopened.find(id(7))?.remainingTtlSeconds).toBe(12)
    expect(reopened.has(id(8))).toBe(false)
  })

  test('a checkpoint keeps the keys', () => {
    grant(id(7))
    note('a', id(7))
    change((batch) => {
      store.checkpoint(batch, id(7), 12)
    })
    expect(namesOf(store, id(7))).toEqual(['a'])
  })

  test('keys are listed in byte order, whatever the order of the puts', () => {
    grant(id(7))
    for (const name of ['b', 'a\u00ff', 'a', '\u0000']) note(name, id(7))
    expect(namesOf(store, id(7))).toEqual(['\u0000', 'a', 'a\u00ff', 'b'])
  })

  test('a key has one lease at a time', () => {
    grant(id(7))
    grant(id(8))
    note('a', id(7))
    note('a', id(8))
    expect(namesOf(store, id(7))).toEqual([])
    expect(namesOf(store, id(8))).toEqual(['a'])
    expect(store.leaseOf(key('a'))).toBe(8n)
  })

  test('a key longer than any bucket key can be attached', () => {
    grant(id(7))
    const long = 'k'.repeat(5_000)
    note(long, id(7))
    expect(namesOf(LeaseStore.open(backend), id(7))).toEqual([long])
  })

  test('the shortest time follows the election time-out, rounded up', () => {
    expect(leaseTtlSecondsMin(1_000)).toBe(2)
    expect(leaseTtlSecondsMin(5_000)).toBe(8)
  })

  test('after any history, memory and a reopened store agree with a model', async () => {
    const lease = fc.integer({ min: 1, max: 4 })
    const step = fc.oneof(
      fc.record({ kind: fc.constant('grant' as const), lease }),
      fc.record({ kind: fc.constant('remove' as const), lease }),
      fc.record({
        kind: fc.constant('note' as const),
        lease: fc.integer({ min: 0, max: 4 }),
        name: fc.constantFrom('a', 'b', 'c', 'd'),
      }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        backend = await new MemoryBackendFactory().open('leases')
        store = LeaseStore.open(backend)
        const leases = new Set<number>()
        const keys = new Map<string, number>()
        for (const each of steps) {
          if (each.kind === 'note') {
            const known = leases.has(each.lease) ? each.lease : 0
            note(each.name, known === 0 ? noLease : id(known))
            if (known === 0) keys.delete(each.name)
            else keys.set(each.name, known)
          } else if (each.kind === 'grant' && !leases.has(each.lease)) {
            grant(id(each.lease))
            leases.add(each.lease)
          } else if (each.kind === 'remove' && leases.has(each.lease)) {
            change((batch) => {
              store.remove(batch, id(each.lease))
            })
            leases.delete(each.lease)
            for (const [name, owner] of keys) if (owner === each.lease) keys.delete(name)
          }
        }
        for (const view of [store, LeaseStore.open(backend)]) {
          expect(view.list().map((held) => Number(held.id))).toEqual([...leases].sort())
          for (const each of leases) {
            const expected = [...keys].filter(([, owner]) => owner === each).map(([name]) => name)
            expect(namesOf(view, id(each))).toEqual(expected.sort())
          }
        }
      }),
    )
  })
})
