/** Watches: ids, starts, filters, pairs before, progress, compaction, as transcripts of streams. */
import type { WatchCreateRequest } from '../../../src/core/proto/gen/rpc.ts'
import { WatchTalk } from '../../helpers/watch-conversation.ts'
import { readable } from '../exclusions.ts'
import { bytes, pure, steps, type Step, type Subject } from './step.ts'

const path = '/etcdserverpb.Watch/Watch'
const area = { key: bytes('v/'), rangeEnd: bytes('v0') }
const maxInt64 = 9_223_372_036_854_775_807n

/** A row of one stream; what the script returns is compared. */
function talk(
  name: string,
  script: (watch: WatchTalk, subject: Subject) => Promise<unknown>,
): Step {
  return steps(name, path, async (subject) => {
    const watch = new WatchTalk(subject.client.raw, subject.client.headers)
    try {
      return readable(await script(watch, subject))
    } finally {
      watch.end()
    }
  })
}

async function revisionOf({ client }: Subject): Promise<bigint> {
  const { header } = await client.must('range', { key: bytes('v/') })
  return header?.revision ?? 0n
}

async function put({ client }: Subject, key: string, value: string): Promise<void> {
  await client.must('put', { key: bytes(key), value: bytes(value) })
}

/** Five changes in the area: put, put, delete, put, and a transaction of two. */
async function change(subject: Subject): Promise<void> {
  await put(subject, 'v/a', '1')
  await put(subject, 'v/a', '2')
  await subject.client.must('deleteRange', { key: bytes('v/a') })
  await put(subject, 'v/b', '3')
  const operation = (key: string) => ({
    request: {
      $case: 'requestPut' as const,
      value: {
        key: bytes(key),
        value: bytes('4'),
        lease: 0n,
        prevKv: false,
        ignoreValue: false,
        ignoreLease: false,
      },
    },
  })
  await subject.client.must('txn', { success: [operation('v/d'), operation('v/c')] })
}

/** First answers to creations that are taken or refused at once. */
function creations(): Step[] {
  const requests: readonly Partial<WatchCreateRequest>[] = [
    {},
    { key: bytes('v') },
    { rangeEnd: bytes('\0') },
    { key: bytes('v'), rangeEnd: bytes('\0') },
    { key: bytes('v'), rangeEnd: bytes('v') },
    { key: bytes('v'), rangeEnd: bytes('u') },
    { key: bytes('\0'), rangeEnd: bytes('\0') },
    { key: bytes('v'), watchId: 17n },
    { key: bytes('v'), watchId: maxInt64 },
    { key: bytes('v'), watchId: -17n },
    { key: bytes('v'), startRevision: maxInt64 },
    { key: bytes('v'), filters: [0, 1] },
    { key: bytes('v'), progressNotify: true, prevKv: true, fragment: true },
  ]
  return requests.map((fields, position) =>
    talk(`creation ${position}`, (watch) => {
      watch.create(fields)
      return watch.take(1)
    }),
  )
}

/** History from each revision, with and without pairs before, filtered in every way. */
function replays(): Step[] {
  const filters = [[], [0], [1]] as const
  return [1n, 2n, 3n, 4n, 5n].flatMap((distance) =>
    filters.flatMap((filter) =>
      [false, true].map((prevKv) =>
        talk(
          `history from ${distance}, filters ${filter.join()}, pairs before ${prevKv}`,
          async (watch, subject) => {
            const first = subject.kept.get('watches') ?? 0n
            watch.create({ ...area, startRevision: first + distance, filters: [...filter], prevKv })
            const puts = [5, 4, 3, 3, 2][Number(distance) - 1] ?? 0
            const deletes = distance <= 3n ? 1 : 0
            const counts = {
              puts: filter[0] === 0 ? 0 : puts,
              deletes: filter[0] === 1 ? 0 : deletes,
            }
            const [created] = await watch.take(1)
            return { created, events: await watch.takeEvents(counts.puts + counts.deletes) }
          },
        ),
      ),
    ),
  )
}

/** Watches. */
export function watchSteps(): readonly Step[] {
  return [
    steps('changes to be watched', '/etcdserverpb.KV/Range', async (subject) => {
      const revision = await revisionOf(subject)
      subject.kept.set('watches', revision)
      await change(subject)
      return [String(revision), String(await revisionOf(subject))]
    }),
    ...pure([...creations(), ...replays()]),
    talk('live', async (watch, subject) => {
      watch.create({ ...area, prevKv: true })
      const created = await watch.take(1)
      await change(subject)
      return { created, events: await watch.takeEvents(6) }
    }),
    talk('a transaction in one answer', async (watch, subject) => {
      const revision = await revisionOf(subject)
      watch.create({ ...area, startRevision: revision })
      return watch.take(2)
    }),
    talk('ids', async (watch) => {
      for (const watchId of [0n, 0n, 2n, 0n, 2n, 3n, 0n]) watch.create({ ...area, watchId })
      const answers = await watch.take(7)
      watch.cancel(2n)
      watch.create({ ...area, watchId: 2n })
      return [...answers, ...(await watch.take(2))]
    }),
    talk('cancelled twice, and what is not there', async (watch) => {
      watch.cancel(5n)
      watch.create(area)
      watch.cancel(0n)
      watch.cancel(0n)
      watch.send({ requestUnion: undefined })
      watch.create(area)
      return watch.take(3)
    }),
    talk('progress', async (watch, subject) => {
      watch.create(area)
      watch.create({ key: bytes('elsewhere') })
      const created = await watch.take(2)
      await put(subject, 'other', 'x')
      await revisionOf(subject)
      watch.askProgress()
      return [...created, ...(await watch.take(1))]
    }),
    talk('no events after the cancel', async (watch, subject) => {
      watch.create(area)
      watch.cancel(0n)
      watch.create({ ...area, prevKv: true })
      const answers = await watch.take(3)
      await put(subject, 'v/a', 'after')
      return [...answers, ...(await watch.take(1))]
    }),
    talk('the end of a lease is one answer', async (watch, subject) => {
      const { client } = subject
      await client.must('leaseGrant', { ID: 7_501n, TTL: 600n })
      for (const key of ['v/z', 'v/y', 'v/x']) {
        await client.must('put', { key: bytes(key), value: bytes('leased'), lease: 7_501n })
      }
      watch.create({ ...area, prevKv: true })
      const created = await watch.take(1)
      await client.must('leaseRevoke', { ID: 7_501n })
      return [...created, ...(await watch.take(1))]
    }),
    talk('compaction, and pairs before it', async (watch, subject) => {
      for (const value of ['1', '2', '3']) await put(subject, 'v/c', value)
      const revision = await revisionOf(subject)
      await subject.client.must('compact', { revision: revision - 1n, physical: true })
      const found: unknown[] = []
      for (const [position, startRevision] of [revision - 2n, revision - 1n, revision].entries()) {
        watch.create({ ...area, startRevision, prevKv: true, watchId: BigInt(position + 1) })
        found.push(await watch.take(2))
      }
      watch.askProgress()
      watch.cancel(1n)
      found.push(await watch.take(1))
      return found
    }),
  ]
}
