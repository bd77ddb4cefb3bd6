/** The bin of deleted keys against a model, over a random past, on a real etcd and on our node. The build must have been run. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bytesOfLatin1 } from '../../src/core/base/bytes.ts'
import { Client } from '../../src/core/client/client.ts'
import { intervalOfPrefix } from '../../src/core/client/key-value.ts'
import { systemClock } from '../../src/core/io/system-clock.ts'
import { systemRandom } from '../../src/core/io/system-random.ts'
import { DeletedKeys, type BinSources } from '../../src/main/bin/deleted-keys.ts'
import { readRevisionChanges } from '../../src/main/bin/revision-changes.ts'
import { keyAt } from '../../src/preload/contract/plan-columns.ts'
import type { BinItem } from '../../src/preload/contract/bin.ts'
import type { ModelDeletion } from '../helpers/history-model.ts'
import { RandomHistory } from '../helpers/random-history.ts'
import { ServerPair, type PairedServer } from '../helpers/server-pair.ts'

const seed = Number(process.env['SEED'] ?? 20_260_504)
const stepCount = 10_000
const rounds = 10
const prefix = '/model/'
const decoder = new TextDecoder()

interface Deletion {
  readonly key: string
  readonly revision: number
  readonly valueSizeBytes: number
  readonly version: number
  readonly lease: bigint
}

/** What a page would have made of a bin. */
class BinView {
  readonly deletions = new Map<string, Deletion>()
  compactedRevision = 0
  isComplete = false
  failure: unknown
  private readonly bin: DeletedKeys

  constructor(sources: BinSources) {
    this.bin = new DeletedKeys(sources, intervalOfPrefix(bytesOfLatin1(prefix)), {
      push: (item) => {
        this.take(item)
      },
      onFailed: (error) => {
        this.failure = error
      },
    })
  }

  /** In the order of the keys, without those whose value was compacted since. */
  list(compactedRevision: number): readonly Deletion[] {
    return [...this.deletions.values()]
      .filter(({ revision }) => revision > compactedRevision)
      .sort((left, right) => (left.key < right.key ? -1 : 1))
  }

  close(): void {
    this.bin.dispose()
  }

  private take(item: BinItem): void {
    if (item.kind === 'progress') this.isComplete = item.isComplete
    if (item.kind === 'compacted') this.compactedRevision = item.compactedRevision
    if (item.kind === 'returned') {
      for (const key of item.keys) this.deletions.delete(decoder.decode(key))
    }
    if (item.kind !== 'deleted') return
    const { columns } = item
    for (let row = 0; row < columns.rowCount; row++) {
      const key = decoder.decode(keyAt(columns, row))
      this.deletions.set(key, {
        key,
        revision: columns.deletedRevisions[row] ?? 0,
        valueSizeBytes: columns.valueSizesBytes[row] ?? 0,
        version: columns.versions[row] ?? 0,
        lease: columns.leases[row] ?? 0n,
      })
    }
  }
}

let pair: ServerPair

beforeAll(async () => {
  pair = await ServerPair.start()
}, 60_000)

afterAll(async () => {
  await pair.dispose()
})

function wantedOf({ key, revision, last }: ModelDeletion): Deletion {
  return {
    ...{ key, revision },
    valueSizeBytes: last?.value.length ?? -1,
    version: last?.version ?? 0,
    lease: last?.lease ?? 0n,
  }
}

async function compareWithModel({ clientUrl }: PairedServer): Promise<void> {
  const environment = { clock: systemClock, random: systemRandom }
  const client = new Client({ ...environment, endpoints: [clientUrl] })
  const sources: BinSources = {
    clock: systemClock,
    kv: client.kv,
    // The real etcd may be one that answers too early; see the sources of a bin.
    quietMs: 2_000,
    watch: (options, listener) => client.watch.open(options, listener),
  }
  const history = await RandomHistory.begin(clientUrl, { seed, prefix })
  const live = new BinView(sources)
  try {
    for (let round = 0; round < rounds; round++) {
      await history.write(stepCount / rounds)
      if (round % 3 === 1) await history.compact()
    }
    await history.settle()
    const { model } = history
    const wanted = model.deletedUnder(prefix).map(wantedOf)
    expect(wanted.length).toBeGreaterThan(0)
    const fresh = new BinView(sources)
    try {
      await expect.poll(() => fresh.isComplete, { timeout: 20_000 }).toBe(true)
      expect(fresh.list(0)).toEqual(wanted)
      expect(fresh.compactedRevision).toBe(model.compactedRevision)
      await expect
        .poll(() => live.list(model.compactedRevision), { timeout: 20_000 })
        .toEqual(wanted)
    } finally {
      fresh.close()
    }
    expect(live.failure).toBeUndefined()
    for (const deletion of model.deletedUnder(prefix)) {
      const { changes } = await readRevisionChanges(sources, deletion.revision, 100)
      const together = changes.map(({ key }) => decoder.decode(key)).sort()
      expect(together).toEqual(deletion.together)
    }
  } finally {
    live.close()
    history.close()
    client.dispose()
  }
}

test.each(['etcd', 'quorate'] as const)(
  `the bin of %s equals the model of ten thousand random operations (seed ${String(seed)})`,
  async (kind) => {
    await compareWithModel(pair[kind])
  },
  60_000,
)
