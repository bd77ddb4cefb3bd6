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

/** A helper program as one file that plain Node runs. */
function build(name: string): string {
  const outfile = join(folder, `${name}.cjs`)
  buildSync({
    entryPoints: [resolve(`tests/helpers/${name}.ts`)],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    external: ['lmdb'],
  })
  return outfile
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'quorate-crash-'))
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
  const program = build('backend-writer')
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

test('a full disk is told to the listener and to everyone who waits, and what was durable stays', async () => {
  const directory = join(folder, 'full')
  const program = build('backend-filler')
  const command = `ulimit -f 8000; exec "${process.execPath}" "${program}" "${directory}"`
  const env = { ...process.env, NODE_PATH: resolve('node_modules') }
  const filler = spawn('bash', ['-c', command], { stdio: ['ignore', 'pipe', 'ignore'], env })
  let output = ''
  filler.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  await once(filler, 'close')
  const lines = output.trim().split('\n')
  expect(lines[0]).toMatch(/^fault the database could not be written: ./)
  expect(lines[1]).toMatch(/^flush StorageFault: the database could not be written: ./)
  const durable = Number(/^durable (\d+)$/.exec(lines[2] ?? '')?.[1])
  expect(durable).toBeGreaterThan(0)
  const backend = await new LmdbBackendFactory({ clock: systemClock }).open(directory)
  expect(readUint64(backend.get('meta', encodeUint64(1))!, 0)).toBe(durable)
  expect([...backend.scan('key', {})].length).toBe(durable)
  await backend.close()
})
