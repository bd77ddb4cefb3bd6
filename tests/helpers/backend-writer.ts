/**
 * A process that writes numbered batches into an LMDB backend until it is killed, and prints the number of the last batch
 * that is durable each time it knows of one. Started by the test of crashes.
 */

import { encodeUint64 } from '../../src/core/backend/buckets.ts'
import { LmdbBackendFactory } from '../../src/core/backend/lmdb-backend-factory.ts'
import { systemClock } from '../../src/core/io/system-clock.ts'

const directory = process.argv[2] ?? ''
const firstNumber = Number(process.argv[3] ?? '1')

async function run(): Promise<void> {
  const backend = await new LmdbBackendFactory({ clock: systemClock }).open(directory)
  for (let number = firstNumber; ; number++) {
    const batch = backend.beginBatch()
    batch.put('key', encodeUint64(number), new Uint8Array(1 + (number % 3_000)).fill(number))
    batch.put('head', encodeUint64(number % 7), encodeUint64(number))
    // Ten batches later each record is removed again, so that pages are freed and used again.
    if (number > 10 && number % 2 === 0) batch.remove('key', encodeUint64(number - 10))
    batch.put('meta', encodeUint64(1), encodeUint64(number))
    backend.commitBatch(batch)
    if (number % 5 === 0) await new Promise((resolve) => setImmediate(resolve))
    if (number % 40 !== 0) continue
    await backend.flush()
    process.stdout.write(`${number}\n`)
  }
}

void run()
