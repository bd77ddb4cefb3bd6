/** Leases of the fake world: granted, counted down, and holding keys of the fake store. */

import type { LeasesBridge } from '../../src/preload/contract/bridge.ts'
import { keyRowAt, type KeyRow } from '../../src/preload/contract/key-columns.ts'
import type { FakeStore } from './fake-store.ts'

/** Leases that nobody keeps alive; an expired one is forgotten when it is asked for. */
export function fakeLeases(store: FakeStore): LeasesBridge {
  const granted = new Map<bigint, { readonly ttlSeconds: number; readonly endsAtMs: number }>()
  let newestId = 0x694d_0000_0000_0000n
  const grant = (ttlSeconds: number, lease = ++newestId): bigint => {
    granted.set(lease, { ttlSeconds, endsAtMs: Date.now() + ttlSeconds * 1_000 })
    return lease
  }
  const pairs = (): readonly KeyRow[] => {
    const request = { connectionId: 'fake', revision: 0, limit: 10_000, valueBytesMax: 0 }
    const { columns } = store.range({ ...request, range: { kind: 'all' } })
    return Array.from({ length: columns.rowCount }, (_, row) => keyRowAt(columns, row))
  }
  const refresh = (): void => {
    for (const { lease } of pairs()) {
      if (lease !== 0n && !granted.has(lease)) grant(60, lease)
    }
  }
  return {
    list: () => {
      refresh()
      return Promise.resolve({ ok: true, value: { leases: [...granted.keys()] } })
    },
    life: ({ lease }) => {
      refresh()
      const life = granted.get(lease)
      const keys = pairs().filter((pair) => pair.lease === lease)
      const left = life === undefined ? -1 : Math.ceil((life.endsAtMs - Date.now()) / 1_000)
      return Promise.resolve({
        ok: true,
        value: {
          lease,
          grantedTtlSeconds: life?.ttlSeconds ?? 0,
          remainingTtlSeconds: Math.max(-1, left),
          keyCount: keys.length,
          keys: keys.slice(0, 100).map((pair) => pair.key),
        },
      })
    },
    grant: ({ ttlSeconds }) =>
      Promise.resolve({ ok: true, value: { lease: grant(ttlSeconds), ttlSeconds } }),
  }
}
