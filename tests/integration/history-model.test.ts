import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Client } from '../../src/core/client/client.ts'
import type { HistoryEnd } from '../../src/core/client/key-history.ts'
import type { HistoryChange } from '../../src/core/client/key-replay.ts'
import { systemClock } from '../../src/core/io/system-clock.ts'
import { systemRandom } from '../../src/core/io/system-random.ts'
import type { ModelChange } from '../helpers/history-model.ts'
import { RandomHistory } from '../helpers/random-history.ts'
import { isRealEtcdInstalled } from '../helpers/real-etcd.ts'
import { ServerPair } from '../helpers/server-pair.ts'

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 1_000_000))
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (value: Uint8Array): string => new TextDecoder().decode(value)
const keysAtOnce = 21

type Told = Omit<ModelChange, 'isByLease'>

function toldOf(key: string, change: HistoryChange): Told {
  const { kind, revision } = change
  if (kind === 'delete') {
    return { kind, key, revision, createRevision: 0, version: 0, lease: 0n, value: '' }
  }
  const { createRevision, version, lease, value } = change.pair
  return { kind, key, revision, createRevision, version, lease, value: text(value) }
}

async function readHistory(
  client: Client,
  key: string,
): Promise<{ changes: readonly Told[]; end: HistoryEnd }> {
  const found = new Map<number, Told>()
  let compactedRevision = 0
  const signal = new AbortController().signal
  const end = await client.history(
    bytes(key),
    { signal },
    {
      onChanges: (changes) => {
        for (const change of changes) found.set(change.revision, toldOf(key, change))
      },
      onCompacted: (revision) => {
        compactedRevision = revision
      },
    },
  )
  expect(compactedRevision).toBe(end.compactedRevision)
  return { changes: [...found.values()].sort((a, b) => a.revision - b.revision), end }
}

if (!isRealEtcdInstalled()) {
  process.stdout.write('The history is not compared on real etcd: there is no etcd on the PATH\n')
}

describe.runIf(isRealEtcdInstalled())(`the history of keys, seed ${String(seed)}`, () => {
  let pair: ServerPair
  beforeAll(async () => {
    pair = await ServerPair.start()
  }, 60_000)
  afterAll(async () => {
    await pair.dispose()
  })

  async function expectModel(client: Client, history: RandomHistory): Promise<void> {
    const { model } = history
    const keys = [...model.keys, '/model/never']
    for (let at = 0; at < keys.length; at += keysAtOnce) {
      const group = keys.slice(at, at + keysAtOnce)
      const read = await Promise.all(group.map((key) => readHistory(client, key)))
      read.forEach(({ changes, end }, index) => {
        const key = group[index] ?? ''
        const expected = model.historyOf(key).map(({ isByLease: _, ...told }) => told)
        expect(changes, `${key}, seed ${String(seed)}`).toEqual(expected)
        expect(end).toMatchObject({
          headRevision: model.headRevision,
          compactedRevision: model.compactedRevision,
        })
        expect(end.refusal).toBeUndefined()
      })
    }
  }

  test.concurrent.each(['etcd', 'quorate'] as const)(
    'equals a model over 10,000 random requests on %s',
    async (kind) => {
      const { clientUrl } = pair[kind]
      const client = new Client({
        clock: systemClock,
        random: systemRandom,
        endpoints: [clientUrl],
      })
      const history = await RandomHistory.begin(clientUrl, { seed })
      await history.write(2_500)
      await history.settle()
      await expectModel(client, history)
      for (let round = 0; round < 3; round++) {
        await history.compact()
        await history.write(2_500)
        await history.settle()
        if (round === 1) await history.compact()
        await expectModel(client, history)
      }
      await history.compact(history.model.headRevision)
      await expectModel(client, history)
      history.close()
      client.dispose()
    },
    60_000,
  )
})
