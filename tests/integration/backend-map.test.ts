import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32c } from '@node-rs/crc32'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { seededRandom } from '../../src/core/base/random.ts'
import { copyBytes, equalBytes, hexOf } from '../../src/core/base/bytes.ts'
import type { BackendReader, ScanOptions } from '../../src/core/backend/backend.ts'
import { openEnvironment, type LmdbEnvironment } from '../../src/core/backend/lmdb-environment.ts'
import { openLmdbBackend } from '../../src/core/backend/lmdb-backend.ts'
import { systemClock } from '../../src/core/io/system-clock.ts'

let folder = ''
let environment: LmdbEnvironment | undefined
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'quorate-map-'))
})
afterEach(async () => {
  await environment?.close()
  environment = undefined
  rmSync(folder, { recursive: true, force: true })
})

const random = seededRandom(20_261)
const below = (bound: number): number => random.below(bound)

/** Keys that share long beginnings, values from nothing to several pages. */
function randomKey(): Uint8Array {
  const key = new Uint8Array(1 + below(5) + (below(20) === 0 ? 1_500 : 0))
  for (let offset = 0; offset < key.length; offset++) key[offset] = below(3)
  return key
}
function randomValue(): Uint8Array {
  const value = new Uint8Array(below(20) === 0 ? below(20_000) : below(300))
  for (let offset = 0; offset < value.length; offset++) value[offset] = below(256)
  return value
}
function randomBounds(): ScanOptions {
  const [start, end] = [randomKey(), randomKey()]
  return { ...(below(3) > 0 && { start }), ...(below(3) > 0 && { end }) }
}

type Read = (visit: Pick<BackendReader, 'visit' | 'scan'>, options: ScanOptions) => string[]

const visited: Read = (reader, options) => {
  const seen: string[] = []
  reader.visit('key', options, (record) => {
    const { keyBytes, keyStart, keyEnd, valueBytes, valueStart, valueSizeBytes } = record
    const key = keyBytes.subarray(keyStart, keyEnd)
    const value = valueBytes.subarray(valueStart, valueStart + valueSizeBytes)
    const areCopiesRight =
      equalBytes(record.copyKey(), key) &&
      equalBytes(record.copyValue(Math.min(1, valueSizeBytes)), value.subarray(1))
    if (!areCopiesRight) throw new Error(`wrong copies of ${hexOf(key)}`)
    seen.push(`${hexOf(key)}=${value.length} ${crc32c(value)}`)
    return seen.length < 400
  })
  return seen
}
const scanned: Read = (reader, options) => {
  const seen: string[] = []
  for (const { key, value } of reader.scan('key', options)) {
    seen.push(`${hexOf(key)}=${value.length} ${crc32c(value)}`)
    if (seen.length === 400) break
  }
  return seen
}

test('records that are looked at in the map are those that LMDB tells, while it is written', async () => {
  const backend = openLmdbBackend(folder, systemClock)
  try {
    expect(visited(backend, {})).toEqual([])
    for (let round = 0; round < 8; round++) {
      const batch = backend.beginBatch()
      for (let change = 0; change < 300; change++) {
        if (below(4) === 0) batch.remove('key', randomKey())
        else batch.put('key', randomKey(), randomValue())
      }
      backend.commitBatch(batch)
      // In every other round the newest changes are still above LMDB, or on their way into it.
      const flushed = round % 2 === 0 ? undefined : backend.flush()
      await flushed
      for (let read = 0; read < 10; read++) {
        const options = randomBounds()
        expect(visited(backend, options)).toEqual(scanned(backend, options))
      }
      const view = backend.openView()
      expect(visited(view, {})).toEqual(scanned(view, {}))
      view.close()
    }
  } finally {
    await backend.close()
  }
})

test('the map can be looked at here, and shows what a transaction began with until it is renewed', async () => {
  environment = openEnvironment(folder)
  const { newest } = environment
  const keys = environment.database('key')
  const put = (name: string, value: string): Promise<void> => {
    const entry = { name, key: Buffer.from(name), value: Buffer.from(value) }
    return openedEnvironment().write([{ bucket: 'key', entry }], systemClock)
  }
  const seen = (): string[] => {
    const found: string[] = []
    newest.visit(keys, {}, (record) => {
      // Neither the shared buffer of LMDB's own reads nor a copy: the map itself.
      expect(record.valueBytes.length).toBeGreaterThan(100_000_000)
      found.push(Buffer.from(copyBytes(record.copyKey())).toString())
      return true
    })
    return found
  }
  await put('a', '1')
  newest.renew()
  expect(seen()).toEqual(['a'])
  await put('b', '2')
  expect(seen()).toEqual(['a'])
  newest.renew()
  expect(seen()).toEqual(['a', 'b'])
})

test('room that changed records leave behind is used again', async () => {
  environment = openEnvironment(folder)
  const { newest } = environment
  const value = Buffer.alloc(100_000, 'v')
  const entry = { name: 'a', key: Buffer.from('a'), value }
  for (let round = 0; round < 50; round++) {
    await environment.write([{ bucket: 'key', entry }], systemClock)
    newest.renew()
  }
  expect(environment.size().allocatedSizeBytes).toBeLessThan(10 * value.length)
})

function openedEnvironment(): LmdbEnvironment {
  if (environment === undefined) throw new Error('the environment is open')
  return environment
}
