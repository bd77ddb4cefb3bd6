/** When the LMDB backend writes what has gathered. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openLmdbBackend, type LmdbBackend } from '../../src/core/backend/lmdb-backend.ts'
import { ManualClock } from '../helpers/manual-clock.ts'

let folder = ''
let clock: ManualClock
let backend: LmdbBackend
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'quorate-gathering-'))
  clock = new ManualClock()
  backend = openLmdbBackend(folder, clock)
})
afterEach(async () => {
  await backend.close()
  rmSync(folder, { recursive: true, force: true })
})

let number = 0
function commit(changeCount = 1, valueSizeBytes = 1): void {
  const batch = backend.beginBatch()
  for (let count = 0; count < changeCount; count++) {
    batch.put('key', new TextEncoder().encode(`k${number++}`), new Uint8Array(valueSizeBytes))
  }
  backend.commitBatch(batch)
}

/** Commits every 50 ms, as somebody does who waits for each answer. */
function commitFor(durationMs: number): void {
  for (let passedMs = 0; passedMs < durationMs; passedMs += 50) {
    commit()
    clock.advance(50)
  }
}

const writtenCount = (): number => backend.commitTimes.count

test('what nobody adds to is written after a tenth of a second', async () => {
  commit()
  const durable = backend.untilDurable()
  clock.advance(100)
  await durable
  expect(writtenCount()).toBe(1)
})

test('while more comes, one transaction takes five seconds of it', async () => {
  commit()
  const durable = backend.untilDurable()
  commitFor(4_900)
  // Written at 5 s or later, or the transactions would be two.
  commitFor(200)
  await durable
  expect(writtenCount()).toBe(1)
})

test('enough changes, or enough bytes, are written at once', async () => {
  commit(50_000)
  const many = backend.untilDurable()
  await settledBy(many)
  commit(17, 1_024 * 1_024)
  await settledBy(backend.untilDurable())
  expect(writtenCount()).toBe(2)
})

test('a flush does not wait, and neither does who only waits for it with others', async () => {
  commit()
  const patient = backend.untilDurable()
  await backend.flush()
  await patient
  expect(writtenCount()).toBe(1)
})

test('room that is asked for is made within a tenth of a second', async () => {
  commit(3_000)
  expect(backend.askForRoom()).toBe(false)
  const durable = backend.untilDurable()
  clock.advance(50)
  commit()
  clock.advance(60)
  await settledBy(durable)
  expect(backend.askForRoom()).toBe(true)
})

test('what is hurried is written within a tenth of a second, and its size is known then', async () => {
  const before = backend.size().usedSizeBytes
  commit(100, 2_000)
  const durable = backend.untilDurable()
  clock.advance(50)
  commit()
  backend.hurry()
  clock.advance(60)
  await settledBy(durable)
  expect(backend.size().usedSizeBytes).toBeGreaterThan(before + 100 * 2_000)
})

/** A long list is written over several turns, which pass only when the clock is moved. */
async function settledBy(done: Promise<void>): Promise<void> {
  const state = { isSettled: false }
  const settled = done.finally(() => {
    state.isSettled = true
  })
  while (!state.isSettled) {
    clock.advance(0)
    await new Promise(setImmediate)
  }
  await settled
}
