/**
 * The patterns of Kubernetes with several writers: guaranteed updates, paged lists, watches from the revision of a list,
 * leases for events, compaction by its key. On one node of ours, on three with clients of each, and on the real etcd, which
 * shows that what is asked for here is what etcd does.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { seededRandom } from '../../src/core/base/random.ts'
import { KubernetesStore, type ObjectList, type ObjectWatch } from '../helpers/kubernetes-store.ts'
import { newerEtcd } from '../helpers/newer-etcd.ts'
import { QuoratedCluster } from '../helpers/quorated.ts'
import { ServerPair } from '../helpers/server-pair.ts'

interface Started {
  readonly urls: readonly string[]
  dispose(): Promise<void>
}

const pods = '/registry/pods/'
const events = '/registry/events/'
const podCount = 12
const writerCount = 5
const updatesPerWriter = 30

async function startOurs(size: number): Promise<Started> {
  const cluster = await QuoratedCluster.start(size)
  return { urls: cluster.clientUrls, dispose: () => cluster.dispose() }
}

async function startReal(): Promise<Started> {
  const pair = await ServerPair.start({ etcdProgram: newerEtcd() })
  return { urls: [pair.etcd.clientUrl], dispose: () => pair.dispose() }
}

describe.each<[string, () => Promise<Started>]>([
  ['one node', () => startOurs(1)],
  ['three nodes', () => startOurs(3)],
  ['the real etcd', startReal],
])('on %s', (_, start) => {
  let started: Started
  let stores: KubernetesStore[] = []
  const watches: ObjectWatch[] = []
  const lists: ObjectList[] = []

  beforeAll(async () => {
    started = await start()
    stores = Array.from(
      { length: writerCount },
      (_each, at) => new KubernetesStore(started.urls[at % started.urls.length]!),
    )
  })

  afterAll(async () => {
    for (const store of stores) store.close()
    await started.dispose()
  })

  const storeAt = (position: number): KubernetesStore => stores[position % stores.length]!

  test('every increment of several writers counts once, and each list is what each watch tells', async () => {
    for (let pod = 0; pod < podCount; pod++) {
      expect(await storeAt(pod).create(`${pods}p${pod}`, '0')).toBe(true)
      expect(await storeAt(pod + 1).create(`${pods}p${pod}`, '0')).toBe(false)
    }
    const increments = new Map<string, number>()
    let attemptCount = 0
    await Promise.all([
      ...stores.map(async (store, writer) => {
        const random = seededRandom(writer)
        for (let update = 0; update < updatesPerWriter; update++) {
          const key = `${pods}p${random.below(4)}`
          const attempts = await store.guaranteedUpdate(key, (value) => String(Number(value) + 1))
          increments.set(key, (increments.get(key) ?? 0) + 1)
          attemptCount += attempts ?? 0
        }
      }),
      churn(storeAt(0)),
      listAndWatch(),
    ])
    for (const [key, count] of increments) {
      expect((await storeAt(1).get(key))?.value).toBe(String(count))
    }
    // They did meet.
    expect(attemptCount).toBeGreaterThan(writerCount * updatesPerWriter)
    await expectAgreement()
  })

  /** Objects come and go while others are changed. */
  async function churn(store: KubernetesStore): Promise<void> {
    for (let round = 0; round < 20; round++) {
      const key = `${pods}p${4 + (round % (podCount - 4))}`
      expect(await store.delete(key)).toMatchObject({ key })
      expect(await store.delete(key)).toBeUndefined()
      expect(await store.guaranteedUpdate(key, (value) => value)).toBeUndefined()
      expect(await store.create(key, `again ${round}`)).toBe(true)
    }
  }

  async function listAndWatch(): Promise<void> {
    for (let round = 0; round < 12; round++) {
      const store = storeAt(round)
      const list = await store.list(pods, 1 + round)
      expect(list.pairs.length).toBeGreaterThanOrEqual(podCount - 1)
      expect(list.pageCount).toBe(Math.max(1, Math.ceil(list.pairs.length / (1 + round))))
      lists.push(list)
      watches.push(store.watch(list))
    }
  }

  /** Asks until every watch says that it has told everything, as API servers do before they answer from their cache. */
  async function expectAgreement(): Promise<void> {
    const revision = await storeAt(2).currentRevision()
    await expect
      .poll(
        () => {
          const late = watches.filter((watch) => watch.progressRevision < revision)
          for (const watch of late) watch.requestProgress()
          return late.length
        },
        { timeout: 30_000, interval: 50 },
      )
      .toBe(0)
    lists.push(await storeAt(3).list(pods, 5))
    for (const watch of watches) {
      expect(watch.problems).toEqual([])
      for (const list of lists) {
        if (list.revision < watch.list.revision || list.revision > watch.progressRevision) continue
        expect(watch.at(list.revision)).toEqual(list.pairs)
      }
      const last = lists.at(-1)!
      expect(watch.at(last.revision)).toEqual(last.pairs)
    }
  }

  test('events go with their lease, and the watch tells each with what it was', async () => {
    const store = storeAt(1)
    const lease = await store.grantLease(2)
    const watch = storeAt(2).watch(await storeAt(2).list(events, 500))
    for (let number = 0; number < 5; number++) {
      expect(await storeAt(number).create(`${events}e${number}`, 'happened', lease)).toBe(true)
    }
    const kinds = (): readonly string[] => watch.events.map(({ kind }) => kind)
    await expect.poll(() => watch.events.length, { timeout: 20_000 }).toBe(10)
    expect(kinds().slice(5)).toEqual(Array.from({ length: 5 }, () => 'delete'))
    const revisions = watch.events.slice(5).map(({ revision }) => revision)
    expect(new Set(revisions).size).toBe(1)
    expect(watch.problems).toEqual([])
    expect((await store.list(events, 2)).pairs).toEqual([])
  })

  test('of several compactors one compacts each time; what is older says so, and goes on from a new list', async () => {
    let turns = stores.map(() => ({ version: 0, revision: 0, hasCompacted: false }))
    let compactedRevision = 0
    for (let round = 0; round < 4; round++) {
      const before = turns
      turns = await Promise.all(stores.map((store, at) => store.compact(before[at]!)))
      const version = round + 1
      expect((await storeAt(round).get('compact_rev_key'))?.version).toBe(version)
      const winners = turns.filter(({ hasCompacted }) => hasCompacted)
      expect(winners.length).toBe(round === 0 ? 0 : 1)
      compactedRevision = Number((await storeAt(0).get('compact_rev_key'))?.value)
      // Who lost learns the version at the latest with its next turn.
      turns = turns.map((turn) => ({ ...turn, version }))
      await storeAt(round).guaranteedUpdate(`${pods}p0`, (value) => String(Number(value) + 1))
    }
    expect(compactedRevision).toBeGreaterThan(1)
    for (const store of stores) {
      await expect
        .poll(() => store.continueAt(pods, compactedRevision - 1), { timeout: 20_000 })
        .toEqual({
          code: 11,
          text: 'etcdserver: mvcc: required revision has been compacted',
        })
      const old = store.watch({ prefix: pods, revision: 1, pairs: [], pageCount: 1 })
      await expect.poll(() => old.compactRevision, { timeout: 20_000 }).toBe(compactedRevision)
      expect(old.events).toEqual([])
    }
    watches.splice(0)
    await listAndWatch()
    await storeAt(4).guaranteedUpdate(`${pods}p1`, (value) => `${value}0`)
    await expectAgreement()
  })
})
