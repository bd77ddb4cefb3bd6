import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'

const program = fileURLToPath(new URL('../../bench/run.mjs', import.meta.url))
const keyCount = 2_000

describe('the benchmark suite', () => {
  test('drives our node with every kind of load that it has, and counts answers', async () => {
    const environment = {
      ...process.env,
      BENCH_KEYS: String(keyCount),
      BENCH_SECONDS: '0.3',
    }
    const { stdout } = await promisify(execFile)(process.execPath, [program, 'smoke'], {
      env: environment,
    })
    const counts = JSON.parse(stdout) as Record<string, number>
    expect(counts).toMatchObject({ loadedTransactions: keyCount / 100, revision: 21 })
    for (const kind of ['puts', 'gets', 'pages', 'events']) {
      expect(counts[kind], kind).toBeGreaterThan(1)
    }
    // The watchers' delay is of the writer's clock, which another process has: it is neither negative nor hours.
    expect(counts['eventDelayMs']).toBeGreaterThan(0)
    expect(counts['eventDelayMs']).toBeLessThan(10_000)
  })
})
