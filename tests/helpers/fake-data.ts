/** Generated keys for the page: a large flat part, and a part with a past that is worth looking at. */

import type { FakeStore } from './fake-store.ts'

const encoder = new TextEncoder()

/** Fills a store with about `keyCount` keys, always the same ones. */
export function fillStore(store: FakeStore, keyCount: number): void {
  const draw = generator(7)
  store.load(registryPairs(keyCount, draw))
  store.load(appPairs())
  writeFlagHistory(store)
  store.put(
    encoder.encode('/app/checkout/binary-blob'),
    Uint8Array.from({ length: 700 }, (_, at) => (at * 37) & 0xff),
  )
  store.put(encoder.encode('/app/checkout/large.json'), encoder.encode(largeJson(1024 * 1024)))
  store.put(
    encoder.encode('/app/checkout/notes.yaml'),
    encoder.encode('owner: payments\non-call:\n  - kim\n  - osei\n'),
  )
  store.put(
    encoder.encode('/app/checkout/flags/rollout-lock'),
    encoder.encode('flagd-6c9f5d-x2lqn'),
    7587870654341924887n,
  )
}

function* registryPairs(
  keyCount: number,
  draw: () => number,
): Generator<readonly [string, string]> {
  const kinds = ['configmaps', 'events', 'leases', 'pods', 'secrets'] as const
  const spaces = ['default', 'kube-system', 'payments', 'search'] as const
  for (let at = 0; at < keyCount; at++) {
    const kind = kinds[at % kinds.length] ?? 'pods'
    const space = spaces[Math.floor(draw() * spaces.length)] ?? 'default'
    const name = `${kind.slice(0, 3)}-${at.toString(36).padStart(5, '0')}`
    yield [
      `/registry/${kind}/${space}/${name}`,
      JSON.stringify({ kind, name, phase: 'Running', seq: at }),
    ]
  }
}

function* appPairs(): Generator<readonly [string, string]> {
  const flags = ['apple-pay', 'express-pay', 'gift-cards', 'invoice-b2b', 'new-address-form']
  for (const flag of flags) yield [`/app/checkout/flags/${flag}`, flagJson(flag, 10)]
  for (const region of ['eu-north', 'eu-west', 'us-east', 'us-west']) {
    yield [`/app/checkout/flags/regions/${region}`, JSON.stringify({ region, enabled: true })]
  }
  for (let at = 0; at < 344; at++) {
    yield [
      `/app/checkout/sessions/${(at * 2654435761).toString(16)}`,
      JSON.stringify({ user: `u-${String(at)}`, step: 'address' }),
    ]
  }
  for (let at = 0; at < 90; at++)
    yield [`/app/inventory/sku-${String(at).padStart(4, '0')}`, String(at * 3)]
  yield ['/locks/nightly', 'worker-2']
}

/** Two generations: nine versions, a deletion, then fourteen more. */
function writeFlagHistory(store: FakeStore): void {
  const key = encoder.encode('/app/checkout/flags/express-pay')
  const pause = (count: number): void => {
    for (let at = 0; at < count; at++)
      store.put(
        encoder.encode('/app/checkout/counters/orders'),
        encoder.encode(String(store.revision)),
      )
  }
  for (let at = 0; at < 8; at++) {
    store.put(key, encoder.encode(flagJson('express-pay', 10 + at)))
    pause(3 + ((at * 7) % 20))
  }
  store.delete([key])
  pause(60)
  for (let at = 0; at < 14; at++) {
    store.put(key, encoder.encode(flagJson('express-pay', 20 + at)))
    pause(at % 5 === 0 ? 1 : 14)
  }
}

function flagJson(flag: string, percent: number): string {
  return JSON.stringify({
    flag,
    enabled: true,
    rollout: {
      strategy: 'percentage',
      percent,
      salt: 'c1f7a0',
      segments: ['eu-west', 'returning-customer'],
    },
    limits: { maxAmount: 25000, currency: 'EUR' },
    owner: 'payments@checkout',
  })
}

function largeJson(sizeBytes: number): string {
  const rows: string[] = []
  let length = 0
  for (let at = 0; length < sizeBytes; at++) {
    const row = JSON.stringify({
      id: at,
      name: `item ${String(at)}`,
      price: at % 977,
      tags: ['a', 'b'],
    })
    rows.push(row)
    length += row.length + 1
  }
  return `[${rows.join(',')}]`
}

/** A generator of numbers in [0, 1) from a seed, so that the data is the same in every run. */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}
