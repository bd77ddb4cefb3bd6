/**
 * The tables of requests, each row asked of a real etcd and of our node: of one member, and of three through the leader and
 * through a follower. Rows of a table build on each other; code, text and every field of the answers are the same.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { noteComparisons } from '../helpers/comparisons.ts'
import { newerEtcd } from '../helpers/newer-etcd.ts'
import { quoratedProgram } from '../helpers/quorated.ts'
import { ServerCluster } from '../helpers/server-cluster.ts'
import { leaseSteps } from './tables/leases.ts'
import { readSteps } from './tables/reads.ts'
import { serverSteps } from './tables/server.ts'
import { Subject, type Step } from './tables/step.ts'
import { transactionSteps } from './tables/transactions.ts'
import { watchSteps } from './tables/watches.ts'
import { compactionSteps, writeSteps } from './tables/writes.ts'

const tables: readonly (readonly [name: string, rows: readonly Step[]])[] = [
  ['reads', readSteps()],
  ['writes', writeSteps()],
  ['transactions', transactionSteps()],
  ['leases', leaseSteps()],
  ['watches', watchSteps()],
  ['compaction', compactionSteps()],
  ['server', serverSteps()],
]

const flags = ['--bcrypt-cost=4']
const one = { etcd: new ServerCluster(newerEtcd()), quorate: new ServerCluster(quoratedProgram) }
const three = { etcd: new ServerCluster(newerEtcd()), quorate: new ServerCluster(quoratedProgram) }

beforeAll(async () => {
  await Promise.all([
    one.etcd.start(1, flags),
    one.quorate.start(1, flags),
    three.etcd.start(3, flags),
    three.quorate.start(3, flags),
  ])
})

afterAll(async () => {
  await Promise.all(
    [one, three].flatMap(({ etcd, quorate }) => [etcd.dispose(), quorate.dispose()]),
  )
})

const ways = [
  ['one member', one, () => Promise.resolve(0)],
  ['the leader of three', three, (cluster: ServerCluster) => cluster.leaderIndex()],
  [
    'a follower of three',
    three,
    async (cluster: ServerCluster) => ((await cluster.leaderIndex()) + 1) % 3,
  ],
] as const

describe.each(ways)('asked of %s', (_name, pair, memberOf) => {
  let etcd: Subject
  let quorate: Subject

  beforeAll(async () => {
    ;[etcd, quorate] = await Promise.all([subjectOf(pair.etcd), subjectOf(pair.quorate)])
    expect(quorate.base).toBe(etcd.base)
  })

  async function subjectOf(cluster: ServerCluster): Promise<Subject> {
    const subject = new Subject(cluster, await memberOf(cluster))
    const everything = { key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) }
    await subject.client.must('deleteRange', everything)
    const { header } = await subject.client.must('range', everything)
    subject.base = header?.revision ?? 0n
    return subject
  }

  afterAll(async () => {
    const hashes = await Promise.all(
      pair.quorate.clients.map(async (client) => {
        await client.must('range', { key: Uint8Array.of(0) })
        const { header, hash } = await client.must('hashKv')
        return [header?.revision, hash]
      }),
    )
    for (const hash of hashes) expect(hash).toEqual(hashes[0])
  })

  // One test per table: a test per row costs more than the row. A row that differs does not stop those after it.
  test.each(tables)('%s', async (_table, rows) => {
    for (const group of groupsOf(rows)) await Promise.all(group.map(compareRow))
  })

  async function compareRow(row: Step): Promise<void> {
    if (row.tearsMembersApart === true && pair === three) {
      expect.soft(await row.ask(quorate), row.name).toMatchObject({ code: 11 })
      return
    }
    const [theirs, ours] = await Promise.all([row.ask(etcd), row.ask(quorate)])
    noteComparisons(row.family)
    expect.soft(ours, row.name).toEqual(row.since37?.(theirs) ?? theirs)
  }
})

/** Rows that may be asked at once: those beside each other that change nothing, and every other row by itself. */
function groupsOf(rows: readonly Step[]): readonly (readonly Step[])[] {
  const groups: Step[][] = []
  for (const row of rows) {
    const last = groups.at(-1)
    const isJoined = row.isPure === true && last?.[0]?.isPure === true && last.length < 30
    if (isJoined) last.push(row)
    else groups.push([row])
  }
  return groups
}
