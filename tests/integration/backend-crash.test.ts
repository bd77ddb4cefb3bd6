import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { buildSync } from 'esbuild'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { encodeUint64, readUint64 } from '../../src/core/backend/buckets.ts'
import { LmdbBackendFactory } from '../../src/core/backend/lmdb-backend-factory.ts'
import { seededRandom } from '../../src/core/base/random.ts'
import { systemClock } from '../../src/core/io/system-clock.ts'

let folder = ''
let program = ''

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'quorate-crash-'))
  program = join(folder, 'writer.cjs')
  buildSync({
    entryPoints: [resolve('tests/helpers/backend-writer.ts')],
    outfile: program,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    external: ['lmdb'],
  })
})
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

/** Runs the writer for a while and kills it. @returns the last batch it knew to be durable */
async function writeUntilKilled(
  directory: string,
  firstNumber: number,
  durationMs: number,
): Promise<number> {
  const writer = spawn(process.execPath, [program, directory, String(firstNumber)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_PATH: resolve('node_modules') },
  })
  let output = ''
  writer.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  await Promise.race([once(writer.stdout, 'data'), once(writer, 'exit')])
  await new Promise((resolveTimer) => setTimeout(resolveTimer, durationMs))
  const ended = once(writer, 'close')
  writer.kill('SIGKILL')
  await ended
  const lines = output.split('\n').filter((line) => line !== '')
  return Number(lines.at(-1) ?? '0')
}

test('a killed writer leaves a prefix of whole batches, none of those that were durable missing', async () => {
  const directory = join(folder, 'db')
  const random = seededRandom(7)
  const factory = new LmdbBackendFactory({ clock: systemClock })
  let lastNumber = 0
  for (let round = 0; round < 12; round++) {
    const durable = await writeUntilKilled(directory, lastNumber + 1, random.below(150))
    const backend = await factory.open(directory)
    lastNumber = readUint64(backend.get('meta', encodeUint64(1)) ?? encodeUint64(0), 0)
    expect(lastNumber).toBeGreaterThanOrEqual(durable)
    const numbers = [...backend.scan('key', {})].map(({ key }) => readUint64(key, 0))
    const expected = Array.from({ length: lastNumber }, (_, position) => position + 1).filter(
      (number) => number % 2 === 1 || number + 10 > lastNumber,
    )
    expect(numbers).toEqual(expected)
    for (const { key, value } of backend.scan('key', {})) {
      const number = readUint64(key, 0)
      expect([value.length, value[0], value.at(-1)]).toEqual([
        1 + (number % 3_000),
        number & 255,
        number & 255,
      ])
    }
    for (const { key, value } of backend.scan('head', {})) {
      const newest = readUint64(value, 0)
      expect(newest % 7).toBe(readUint64(key, 0))
      expect(newest).toBeGreaterThan(lastNumber - 7)
      expect(newest).toBeLessThanOrEqual(lastNumber)
    }
    await backend.close()
  }
  expect(lastNumber).toBeGreaterThan(500)
})
