/**
 * A process that writes to an LMDB backend until its disk (here: the limit on the size of files) is full, and prints what it
 * was told then. Started by the test of crashes.
 */

import { encodeUint64 } from '../../src/core/backend/buckets.ts'
import { LmdbBackendFactory } from '../../src/core/backend/lmdb-backend-factory.ts'
import { systemClock } from '../../src/core/io/system-clock.ts'

const directory = process.argv[2] ?? ''
// Without a handler the signal ends the process before the write can fail.
process.on('SIGXFSZ', () => undefined)

async function run(): Promise<void> {
  const backend = await new LmdbBackendFactory({ clock: systemClock }).open(directory)
  backend.onFault((fault) => process.stdout.write(`fault ${fault.message}\n`))
  let durableNumber = 0
  for (let number = 1; number < 10_000; number++) {
    const batch = backend.beginBatch()
    batch.put('key', encodeUint64(number), new Uint8Array(50_000).fill(number))
    batch.put('meta', encodeUint64(1), encodeUint64(number))
    backend.commitBatch(batch)
    try {
      if (number % 20 === 0) {
        await backend.flush()
        durableNumber = number
      }
    } catch (error) {
      process.stdout.write(`flush ${String(error)}\n`)
      break
    }
  }
  await backend.close()
  process.stdout.write(`durable ${durableNumber}\n`)
}

void run()
