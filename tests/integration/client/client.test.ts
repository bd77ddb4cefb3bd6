import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { Client } from '../../../src/core/client/client.ts'
import { intervalOfPrefix } from '../../../src/core/client/key-value.ts'
import type { HistoryEnd } from '../../../src/core/client/key-history.ts'
import type { HistoryChange } from '../../../src/core/client/key-replay.ts'
import type { WatchEvent, WatchListener } from '../../../src/core/client/watch-client.ts'
import { StoreError } from '../../../src/core/errors/store-error.ts'
import { systemClock } from '../../../src/core/io/system-clock.ts'
import { systemRandom } from '../../../src/core/io/system-random.ts'
import { isRealEtcdInstalled, RealEtcdCluster } from '../../helpers/real-etcd.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (value: Uint8Array): string => new TextDecoder().decode(value)

if (!isRealEtcdInstalled()) {
  process.stdout.write('The client is not tested beside real etcd: there is no etcd on the PATH\n')
}

const clients: Client[] = []
function connect(endpoints: readonly string[]): Client {
  const client = new Client({ clock: systemClock, random: systemRandom, endpoints })
  clients.push(client)
  return client
}

/** The whole history of a key, oldest first. */
async function readHistory(
  client: Client,
  key: Uint8Array,
): Promise<{ changes: readonly HistoryChange[]; end: HistoryEnd }> {
  const found = new Map<number, HistoryChange>()
  const signal = new AbortController().signal
  const end = await client.history(
    key,
    { signal },
    {
      onChanges: (changes) => {
        for (const change of changes) found.set(change.revision, change)
      },
      onCompacted: () => undefined,
    },
  )
  return { changes: [...found.values()].sort((a, b) => a.revision - b.revision), end }
}

afterEach(() => {
  for (const client of clients.splice(0)) client.dispose()
})

/** Collects what a watch delivers and lets a test wait for some of it. */
class Recorder implements WatchListener {
  readonly lines: string[] = []
  readonly events: WatchEvent[] = []
  private waiters: (() => void)[] = []

  onStarted(start: { startRevision: number; isResumed: boolean }): void {
    this.note(`${start.isResumed ? 'resumed' : 'started'} at ${String(start.startRevision)}`)
  }
  onEvents(events: readonly WatchEvent[]): void {
    this.events.push(...events)
    this.note(`events ${events.map((event) => String(event.pair.modRevision)).join(' ')}`)
  }
  onProgress(progress: { revision: number }): void {
    this.note(`progress ${String(progress.revision)}`)
  }
  onInterrupted(): void {
    this.note('interrupted')
  }
  onGap(gap: { fromRevision: number; toRevision: number }): void {
    this.note(`gap ${String(gap.fromRevision)} to ${String(gap.toRevision)}`)
  }
  onRefused(error: StoreError): void {
    this.note(`refused ${error.code}`)
  }

  async until(condition: () => boolean, timeoutMs = 20_000): Promise<void> {
    const endsAtMs = Date.now() + timeoutMs
    while (!condition()) {
      if (Date.now() > endsAtMs) throw new Error(`not in time; so far: ${this.lines.join(', ')}`)
      await new Promise<void>((resolve) => {
        this.waiters.push(resolve)
        setTimeout(resolve, 100)
      })
    }
  }

  private note(line: string): void {
    this.lines.push(line)
    for (const waiter of this.waiters.splice(0)) waiter()
  }
}

async function compact(client: Client, revision: number): Promise<void> {
  const response = await fetch(`${client.pool.active().url}/v3/kv/compaction`, {
    method: 'POST',
    body: JSON.stringify({ revision: String(revision) }),
  })
  expect(response.status).toBe(200)
}

describe.runIf(isRealEtcdInstalled())('Client on one real etcd', () => {
  let cluster: RealEtcdCluster
  beforeAll(async () => {
    cluster = await RealEtcdCluster.start(1)
  })
  afterAll(() => {
    cluster.stop()
  })

  test('a put is read back with its revisions', async () => {
    const client = connect(cluster.clientUrls)
    const first = await client.kv.put(bytes('/a/1'), bytes('one'))
    const second = await client.kv.put(bytes('/a/1'), bytes('two'))
    expect(text(second.previous?.value ?? new Uint8Array())).toBe('one')
    const { pair } = await client.kv.get(bytes('/a/1'))
    expect(pair).toMatchObject({
      createRevision: first.header.revision,
      modRevision: second.header.revision,
      version: 2,
      lease: 0n,
    })
    expect(text(pair?.value ?? new Uint8Array())).toBe('two')
  })

  test('a value near the limit of a request is put, over an old one and anew', async () => {
    const client = connect(cluster.clientUrls)
    const large = new Uint8Array(1_400_000).fill(7)
    const created = await client.kv.put(bytes('/large'), large)
    const again = await client.kv.put(bytes('/large'), large)
    expect(created.previous).toBeUndefined()
    expect(again.previous?.value.length).toBe(large.length)
  })

  test('a put keeps the lease that the key has', async () => {
    const client = connect(cluster.clientUrls)
    const grant = await fetch(`${client.pool.active().url}/v3/lease/grant`, {
      method: 'POST',
      body: JSON.stringify({ TTL: '600' }),
    })
    const lease = BigInt(((await grant.json()) as { ID: string }).ID)
    await client.kv.put(bytes('/leased'), bytes('1'), { lease })
    await client.kv.put(bytes('/leased'), bytes('2'))
    expect((await client.kv.get(bytes('/leased'))).pair?.lease).toBe(lease)
    await client.kv.put(bytes('/leased'), bytes('3'), { lease: 0n })
    expect((await client.kv.get(bytes('/leased'))).pair?.lease).toBe(0n)
  })

  test('a page knows whether more follows and how many there are', async () => {
    const client = connect(cluster.clientUrls)
    for (let number = 0; number < 5; number++) {
      await client.kv.put(bytes(`/page/${String(number)}`), bytes('x'))
    }
    const page = await client.kv.range(intervalOfPrefix(bytes('/page/')), {
      limit: 2,
      isKeysOnly: true,
    })
    expect(page.pairs.map((pair) => text(pair.key))).toEqual(['/page/0', '/page/1'])
    expect({ hasMore: page.hasMore, count: page.count }).toEqual({ hasMore: true, count: 5 })
  })

  test('a refusal has the code of its text', async () => {
    const client = connect(cluster.clientUrls)
    const refusal = await client.kv
      .get(bytes('/a/1'), { revision: 1_000_000 })
      .catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(StoreError)
    expect((refusal as StoreError).code).toBe('futureRevision')
  })

  test('the history of a key goes back over its deletions to the compacted revision', async () => {
    const client = connect(cluster.clientUrls)
    const key = bytes('/history')
    const revisions: number[] = []
    for (const value of ['1', '2']) {
      revisions.push((await client.kv.put(key, bytes(value))).header.revision)
    }
    revisions.push((await client.kv.deleteRange({ start: key })).header.revision)
    for (const value of ['3', '4']) {
      revisions.push((await client.kv.put(key, bytes(value))).header.revision)
    }
    const whole = await readHistory(client, key)
    expect(whole.changes.map((change) => [change.kind, change.revision])).toEqual([
      ['put', revisions[0]],
      ['put', revisions[1]],
      ['delete', revisions[2]],
      ['put', revisions[3]],
      ['put', revisions[4]],
    ])
    expect(whole.end).toMatchObject({ compactedRevision: 0 })

    // The deletion and what was before it go; the value of then stays, as of the compacted revision.
    await client.kv.put(bytes('/history-other'), bytes('x'))
    const compactedRevision = revisions[3]!
    await compact(client, compactedRevision)
    const compacted = await readHistory(client, key)
    expect(compacted.changes.map((change) => change.revision)).toEqual([revisions[3], revisions[4]])
    expect(compacted.end).toMatchObject({ compactedRevision })
  })

  test('a value of before the compacted revision belongs to the history, and the edge is followed', async () => {
    const client = connect(cluster.clientUrls)
    const key = bytes('/edge')
    const first = (await client.kv.put(key, bytes('1'))).header.revision
    const edge = (await client.kv.put(bytes('/edge-other'), bytes('x'))).header.revision
    await compact(client, edge)
    const gone = (await client.kv.deleteRange({ start: key })).header.revision
    const { changes, end } = await readHistory(client, key)
    expect(changes.map((change) => [change.kind, change.revision])).toEqual([
      ['put', first],
      ['delete', gone],
    ])
    expect(end.compactedRevision).toBe(edge)

    const abort = new AbortController()
    const moved = new Promise<number>((resolve, reject) => {
      client
        .followCompaction(
          key,
          { compactedRevision: edge, intervalMs: 20, signal: abort.signal },
          resolve,
        )
        .catch(reject)
    })
    await compact(client, gone)
    expect(await moved).toBe(gone)
    abort.abort()
  })

  test('the history of a deleted key ends with its deletion', async () => {
    const client = connect(cluster.clientUrls)
    const key = bytes('/gone')
    await client.kv.put(key, bytes('x'))
    const { header } = await client.kv.deleteRange({ start: key })
    const { changes } = await readHistory(client, key)
    expect(changes.map((change) => [change.kind, change.revision])).toEqual([
      ['put', header.revision - 1],
      ['delete', header.revision],
    ])
  })

  test('a watch over compacted revisions reports the gap and goes on', async () => {
    const client = connect(cluster.clientUrls)
    const key = bytes('/gap')
    await client.kv.put(key, bytes('1'))
    const last = await client.kv.put(key, bytes('2'))
    await compact(client, last.header.revision)
    const recorder = new Recorder()
    const watch = client.watch.open(
      { interval: { start: key }, startRevision: 1, needsPrevious: false },
      recorder,
    )
    await recorder.until(() => recorder.events.length === 1)
    watch.dispose()
    expect(recorder.lines.filter((line) => line.startsWith('gap'))).toEqual([
      `gap 1 to ${String(last.header.revision - 1)}`,
    ])
    expect(recorder.events.map((event) => event.pair.modRevision)).toEqual([last.header.revision])
  })

  test('a past of many small changes comes in few messages, each change once', async () => {
    const client = connect(cluster.clientUrls)
    const [revisionCount, keysPerRevision] = [200, 120]
    const start = (await client.kv.put(bytes('/small/first'), bytes('x'))).header.revision + 1
    for (let at = 0; at < revisionCount; at++) {
      await client.kv.txn({
        compares: [],
        thenOperations: Array.from({ length: keysPerRevision }, (_, key) => ({
          ...{ kind: 'put', key: bytes(`/small/${key}`), value: bytes('v'.repeat(200)) },
          lease: 0n,
        })),
        elseOperations: [],
      })
    }
    const recorder = new Recorder()
    const watch = client.watch.open(
      { interval: intervalOfPrefix(bytes('/small/')), startRevision: start, needsPrevious: false },
      recorder,
    )
    await recorder.until(() => recorder.events.length >= revisionCount * keysPerRevision)
    const got = recorder.events.map(({ pair }) => `${String(pair.modRevision)} ${text(pair.key)}`)
    const wanted = Array.from({ length: revisionCount * keysPerRevision }, (_, at) => {
      const revision = start + Math.floor(at / keysPerRevision)
      return `${String(revision)} /small/${String(at % keysPerRevision)}`
    })
    expect(got).toEqual(wanted)
    // The first fragment, and all the rest.
    const told = recorder.lines.map((line) => line.replace(/^(events).*/, '$1'))
    expect(told).toEqual([`started at ${String(start)}`, 'events', 'events'])
    watch.dispose()
  })

  test('an endpoint where nobody listens fails in time and says so', async () => {
    const client = connect(['http://127.0.0.1:1'])
    const startMs = Date.now()
    const failure = await client.kv.get(bytes('a')).catch((error: unknown) => error)
    expect((failure as StoreError).code).toBe('unreachable')
    expect(Date.now() - startMs).toBeLessThan(5_000)
    const write = await client.kv.put(bytes('a'), bytes('b')).catch((error: unknown) => error)
    expect((write as StoreError).details['isOutcomeUnknown']).toBeUndefined()
  })
})

describe.runIf(isRealEtcdInstalled())('Client on three real etcd members', () => {
  let cluster: RealEtcdCluster
  beforeAll(async () => {
    cluster = await RealEtcdCluster.start(3)
  })
  afterAll(() => {
    cluster.stop()
  })

  test('killing the serving member neither fails reads nor breaks a watch', async () => {
    const client = connect(cluster.clientUrls)
    const recorder = new Recorder()
    const watch = client.watch.open(
      { interval: intervalOfPrefix(bytes('/fail/')), startRevision: 0, needsPrevious: false },
      recorder,
    )
    await recorder.until(() => recorder.lines.length > 0)
    const written: number[] = []
    const unknown: string[] = []
    const write = async (name: string): Promise<void> => {
      try {
        written.push((await client.kv.put(bytes(`/fail/${name}`), bytes(name))).header.revision)
      } catch (error) {
        if (!(error instanceof StoreError) || error.details['isOutcomeUnknown'] !== true)
          throw error
        unknown.push(name)
      }
    }
    for (let number = 0; number < 20; number++) await write(`before-${String(number)}`)
    const served = client.pool.active().url
    const victim = cluster.members.find((member) => member.clientUrl === served)!
    await victim.signal('SIGKILL')
    for (let number = 0; number < 20; number++) {
      await client.kv.get(bytes('/fail/before-0'))
      await write(`after-${String(number)}`)
    }
    expect(client.pool.active().url).not.toBe(served)
    const last = written.at(-1)!
    await recorder.until(() => recorder.events.some((event) => event.pair.modRevision === last))
    const seen = recorder.events.map((event) => event.pair.modRevision)
    expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b))
    expect(written.filter((revision) => !seen.includes(revision))).toEqual([])
    expect(recorder.lines.some((line) => line.startsWith('resumed'))).toBe(true)
    // The process was dead before the next write began: nothing can have been in flight.
    expect(unknown).toEqual([])
    watch.dispose()
    await victim.start()
  })

  test('every member tells its own status, and the dead one is unreachable', async () => {
    const client = connect(cluster.clientUrls)
    const list = await client.cluster.listMembers({ isLinearizable: false })
    expect(list.members.map((member) => member.name).sort()).toEqual(['etcd1', 'etcd2', 'etcd3'])
    const victim = cluster.members[2]!
    await victim.signal('SIGKILL')
    const results = await Promise.all(
      client.pool.endpoints.map((endpoint) =>
        client.maintenance.status(endpoint, { timeoutMs: 2_000 }),
      ),
    )
    expect(results.map((result) => result.ok)).toEqual([true, true, false])
    await victim.start()
  })
})
