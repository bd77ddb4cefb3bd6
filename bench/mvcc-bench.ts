/**
 * What the key space costs on LMDB: puts, reads, counts and pages over many keys, without the server around it.
 *
 *     npx esbuild bench/mvcc-bench.ts --bundle --platform=node --format=esm --external:lmdb --external:@node-rs/crc32 --outfile=dist/mvcc-bench.mjs
 *     node dist/mvcc-bench.mjs [keys] [directory]
 */

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LmdbBackendFactory } from '../src/core/backend/lmdb-backend-factory.ts'
import { noLease } from '../src/core/base/ids.ts'
import { silentLogger } from '../src/core/base/logger.ts'
import { seededRandom } from '../src/core/base/random.ts'
import { systemClock } from '../src/core/io/system-clock.ts'
import type { KeyRange } from '../src/core/mvcc/key-range.ts'
import { MvccStore } from '../src/core/mvcc/mvcc-store.ts'

const keyCount = Number(process.argv[2] ?? 1_000_000)
const directory = process.argv[3] ?? mkdtempSync(join(tmpdir(), 'mvcc-bench-'))
const turnSize = 200
const value = new Uint8Array(256).fill(0x76)
const encoder = new TextEncoder()
const random = seededRandom(1)
const factory = new LmdbBackendFactory({ clock: systemClock })

const keyOf = (number: number): Uint8Array =>
  encoder.encode(`/registry/pods/namespace-${number % 100}/pod-${String(number).padStart(9, '0')}`)
const prefixOf = (namespace: number): KeyRange => ({
  start: encoder.encode(`/registry/pods/namespace-${namespace}/`),
  end: encoder.encode(`/registry/pods/namespace-${namespace}0`),
})
const everything: KeyRange = { start: Uint8Array.of(0), end: 'unbounded' }

interface Started {
  readonly atMs: number
  readonly cpuUs: number
  readonly threadUs: number
}
const started = (): Started => ({ atMs: performance.now(), cpuUs: cpuUs(), threadUs: threadUs() })

function cpuUs(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

/** Processor time of the JavaScript thread alone, where the system tells; other load on the machine moves it least. */
function threadUs(): number {
  const path = `/proc/self/task/${process.pid}/schedstat`
  return existsSync(path) ? Number(readFileSync(path, 'utf8').split(' ')[0]) / 1_000 : Number.NaN
}

function print(name: string, operationCount: number, start: Started): void {
  const figures = [
    (performance.now() - start.atMs) * 1_000,
    cpuUs() - start.cpuUs,
    threadUs() - start.threadUs,
  ]
  const columns = figures.map((figure) => (figure / operationCount).toFixed(2).padStart(12))
  process.stdout.write(`${name.padEnd(48)} ${columns.join('')}\n`)
}

function measure(name: string, operationCount: number, run: () => void): void {
  const start = started()
  run()
  print(name, operationCount, start)
}

const titles = ['wall', 'processors', 'this thread'].map((title) => title.padStart(12))
process.stdout.write(`${'microseconds each'.padEnd(48)} ${titles.join('')}\n`)

let backend = await factory.open(directory)
let store = MvccStore.open(backend, { clock: systemClock, logger: silentLogger })

/** Puts in turns like the applier's, until all is on disk. */
async function putMany(name: string, numbers: readonly number[]): Promise<void> {
  const start = started()
  for (let offset = 0; offset < numbers.length; offset += turnSize) {
    const batch = backend.beginBatch()
    for (const number of numbers.slice(offset, offset + turnSize)) {
      const view = store.beginWrite(batch)
      view.put(keyOf(number), value, noLease)
      view.end()
    }
    backend.commitBatch(batch)
    store.publish()
    await backend.waitForRoom()
    await new Promise((resolve) => setImmediate(resolve))
  }
  await backend.flush()
  print(`${name}, flushed`, numbers.length, start)
}

const shuffled = (count: number): number[] =>
  Array.from({ length: count }, () => random.below(keyCount))

await putMany(
  `put ${keyCount} new keys`,
  Array.from({ length: keyCount }, (_, number) => number),
)
await putMany('put 100000 existing keys, random', shuffled(100_000))

const sample = shuffled(100_000)
measure('get one key, random', sample.length, () => {
  for (const number of sample)
    store.readRange({ start: keyOf(number), end: undefined }, { revision: 0, limit: 0 })
})
measure('get one key at an old revision, random', 20_000, () => {
  for (const number of sample.slice(0, 20_000)) store.findAt(keyOf(number), keyCount)
})
measure('count a prefix of 1% of the keys', 2_000, () => {
  for (let run = 0; run < 2_000; run++)
    store.readRange(prefixOf(run % 100), { revision: 0, limit: 0, isCountOnly: true })
})
measure('count everything', 2_000, () => {
  for (let run = 0; run < 2_000; run++)
    store.readRange(everything, { revision: 0, limit: 0, isCountOnly: true })
})
measure('page of 500 out of a prefix of 1%', 1_000, () => {
  for (let run = 0; run < 1_000; run++)
    store.readRange(prefixOf(run % 100), { revision: 0, limit: 500 })
})
measure('page of 500, keys only', 1_000, () => {
  for (let run = 0; run < 1_000; run++)
    store.readRange(prefixOf(run % 100), { revision: 0, limit: 500, isKeysOnly: true })
})
const recent = store.currentRevision - 100
measure('page of 500, 100 revisions ago', 500, () => {
  for (let run = 0; run < 500; run++)
    store.readRange(prefixOf(run % 100), { revision: recent, limit: 500 })
})
measure('range of 1% of the keys, per pair', keyCount / 100, () => {
  store.readRange(prefixOf(7), { revision: 0, limit: 0 })
})
measure('history of 100000 revisions, per revision', 100_000, () => {
  store.changesBetween({ from: keyCount, to: keyCount + 100_000, revisionCountMax: 1_000_000 })
})

const hashStart = started()
await store.hashAt(0)
print('hash of everything, per record', keyCount + 100_000, hashStart)

const compactionStart = started()
const scheduled = backend.beginBatch()
store.scheduleCompaction(scheduled, store.currentRevision)
backend.commitBatch(scheduled)
for (let isDone = false; !isDone;) {
  const batch = backend.beginBatch()
  isDone = store.runCompactionStep(batch, 1_000) === 'done'
  backend.commitBatch(batch)
  await backend.waitForRoom()
}
await backend.flush()
print('first compaction, per revision', keyCount + 100_000, compactionStart)

const { allocatedSizeBytes, usedSizeBytes } = backend.size()
process.stdout.write(
  `file ${(allocatedSizeBytes / 1e6).toFixed(0)} MB, in use ${(usedSizeBytes / 1e6).toFixed(0)} MB\n`,
)
await backend.close()
const openStartMs = performance.now()
backend = await factory.open(directory)
store = MvccStore.open(backend, { clock: systemClock, logger: silentLogger })
process.stdout.write(
  `open again: ${(performance.now() - openStartMs).toFixed(1)} ms at revision ${store.currentRevision}\n`,
)
const { heapUsed, rss } = process.memoryUsage()
process.stdout.write(
  `heap ${(heapUsed / 1e6).toFixed(0)} MB, resident ${(rss / 1e6).toFixed(0)} MB\n`,
)
await backend.close()
if (process.argv[3] === undefined) rmSync(directory, { recursive: true, force: true })
