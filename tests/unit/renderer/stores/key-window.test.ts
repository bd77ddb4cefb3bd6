import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { keyColumnsOf } from '../../../../src/preload/contract/key-columns.ts'
import type { KeyRow } from '../../../../src/preload/contract/key-columns.ts'
import type { WatchChange } from '../../../../src/preload/contract/watch.ts'
import { keyText, textBytes } from '../../../../src/renderer/format/bytes-text.ts'
import { KeyShape } from '../../../../src/renderer/stores/key-guess.ts'
import { compareKeys } from '../../../../src/renderer/stores/key-order.ts'
import { KeyWindow } from '../../../../src/renderer/stores/key-window.ts'
import type { WindowPlan } from '../../../../src/renderer/stores/key-window.ts'

const row = (key: Uint8Array, modRevision = 1): KeyRow => ({
  key,
  value: new Uint8Array(),
  valueSizeBytes: -1,
  createRevision: 1,
  modRevision,
  version: 1,
  lease: 0n,
})

/** A server of sorted keys that counts the questions it is asked. */
class Server {
  readonly keys: readonly Uint8Array[]
  questionCount = 0

  constructor(keys: readonly Uint8Array[]) {
    this.keys = [...keys].sort(compareKeys)
  }

  open(pageRows: number): KeyWindow {
    const window = new KeyWindow(
      { from: new Uint8Array(0), to: undefined },
      this.keys.length,
      pageRows,
    )
    const limit = Math.max(1, Math.min(pageRows, this.keys.length))
    this.answer(window, { kind: 'page', ...window.bounds, baseRank: 0, limit })
    return window
  }

  answer(window: KeyWindow, plan: WindowPlan): void {
    this.questionCount++
    const low = this.rankOf(plan.from)
    const high = plan.to === undefined ? this.keys.length : this.rankOf(plan.to)
    if (plan.kind === 'probe') {
      window.noteProbe(plan, high - low, low < high ? this.keys[low] : undefined)
      return
    }
    expect(low).toBe(plan.baseRank)
    const page = this.keys.slice(low, Math.min(high, low + plan.limit))
    window.addPage(plan, keyColumnsOf(page.map((key) => row(key))), high - low > page.length)
  }

  /** Asks until a row is known; answers with the number of questions. */
  bring(window: KeyWindow, position: number): number {
    const before = this.questionCount
    for (let attempt = 0; window.rowAt(position) === undefined; attempt++) {
      if (attempt > 96) throw new Error(`row ${String(position)} was not found`)
      const plan = window.plan(position, attempt)
      const ahead = attempt === 0 ? window.planAhead(plan) : undefined
      if (ahead !== undefined) this.answer(window, ahead)
      else this.answer(window, plan)
    }
    return this.questionCount - before
  }

  private rankOf(key: Uint8Array): number {
    let low = 0
    let high = this.keys.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (compareKeys(this.keys[middle] ?? key, key) < 0) low = middle + 1
      else high = middle
    }
    return low
  }
}

const numbered = (count: number, name: (at: number) => string): Uint8Array[] =>
  Array.from({ length: count }, (_, at) => textBytes(name(at)))
const folders = (at: number): string =>
  `/bench/f${String(Math.floor(at / 1_000)).padStart(4, '0')}/key-${String(at % 1_000).padStart(4, '0')}`
const flat = (at: number): string => `/flat/${String(at).padStart(8, '0')}`
const uuid = (at: number): string =>
  `/registry/${['pods', 'events', 'leases'][at % 3] ?? ''}/${((at * 2_654_435_761) % 2 ** 32).toString(16).padStart(8, '0')}`

const kinds = ['configmaps', 'events', 'leases', 'pods', 'secrets']
const kubernetes = (at: number): string => {
  const kind = kinds[at % 5] ?? ''
  const space = ['default', 'kube-system', 'payments', 'search'][(at * 7_919) % 4] ?? ''
  return `/registry/${kind}/${space}/${kind.slice(0, 3)}-${at.toString(36).padStart(5, '0')}`
}

const put = (key: Uint8Array, revision: number, createRevision: number): WatchChange => ({
  kind: 'put',
  key,
  revision,
  current: {
    bytes: new Uint8Array(),
    sizeBytes: 0,
    createRevision,
    modRevision: revision,
    version: 1,
    lease: 0n,
  },
})

describe('KeyShape', () => {
  test('answers with a key strictly between two others whenever there is one', () => {
    const bytes = fc.uint8Array({ maxLength: 6 })
    fc.assert(
      fc.property(
        bytes,
        bytes,
        fc.array(bytes),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (one, two, known, part) => {
          const [from, to] = compareKeys(one, two) <= 0 ? [one, two] : [two, one]
          const shape = new KeyShape()
          for (const key of known) shape.learnKey(key)
          const guess = shape.guess({ from, to }, part, 'byPlace')
          if (guess === undefined) {
            const next = Uint8Array.of(...from, 0)
            expect(compareKeys(next, to)).toBeGreaterThanOrEqual(0)
          } else {
            expect(compareKeys(guess, from)).toBeGreaterThan(0)
            expect(compareKeys(guess, to)).toBeLessThan(0)
          }
        },
      ),
    )
  })
})

describe('KeyWindow', () => {
  test.each([
    ['folders', folders, 16],
    ['one folder', flat, 16],
    ['kinds and spaces', kubernetes, 45],
    // Names without an order to see take the search a few steps a byte.
    ['hashed names', uuid, 45],
  ])('finds any row of 200,000 keys (%s) with few questions', (_name, name, questionsMax) => {
    const server = new Server(numbered(200_000, name))
    const window = server.open(1_000)
    const questions: number[] = []
    for (const part of [0.5, 0.25, 0.999, 1, 0.7731, 0.1]) {
      const position = Math.min(server.keys.length - 1, Math.floor(server.keys.length * part))
      questions.push(server.bring(window, position))
      expect(window.keyAt(position)).toEqual(server.keys[position])
    }
    expect(Math.max(...questions)).toBeLessThanOrEqual(questionsMax)
  })

  test('reads row after row without a question between the pages', () => {
    const server = new Server(numbered(40_000, flat))
    const window = server.open(1_000)
    for (let at = 0; at < 40_000; at += 500) server.bring(window, at)
    expect(server.questionCount).toBe(40)
  })

  test('reads a part that was let go again where it was', () => {
    const server = new Server(numbered(20_000, uuid))
    const window = server.open(500)
    for (let at = 0; at < 20_000; at += 500) {
      server.bring(window, at)
      window.keepNear(at, 3)
    }
    expect(window.loadedCount).toBeLessThanOrEqual(1_500)
    for (let at = 19_900; at >= 0; at -= 250) {
      expect(server.bring(window, at)).toBeLessThanOrEqual(1)
      expect(window.keyAt(at)).toEqual(server.keys[at])
      window.keepNear(at, 3)
    }
  })

  test('shows what a watch told, also in parts that are read afterwards or again', () => {
    const keyOf = (at: number): Uint8Array => textBytes(`k${String(at).padStart(4, '0')}`)
    fc.assert(
      fc.property(
        fc.array(fc.record({ at: fc.nat(999), isPut: fc.boolean(), look: fc.nat(999) }), {
          maxLength: 60,
        }),
        (steps) => {
          const inBase = Array.from({ length: 1_000 }, (_, at) => at).filter((at) => at % 2 === 0)
          const server = new Server(inBase.map(keyOf))
          const window = server.open(50)
          const model = new Map(inBase.map((at) => [at, 1]))
          let revision = 1
          for (const { at, isPut, look } of steps) {
            revision++
            if (isPut) {
              window.apply(put(keyOf(at), revision, model.get(at) ?? revision))
              model.set(at, model.get(at) ?? revision)
            } else if (model.delete(at)) {
              window.apply({ kind: 'delete', key: keyOf(at), revision })
            }
            const names = [...model.keys()].sort((left, right) => left - right)
            expect(window.length).toBe(names.length)
            const position = Math.min(look, names.length - 1)
            server.bring(window, position)
            window.keepNear(position, 3)
            expect(keyText(window.keyAt(position) ?? new Uint8Array())).toBe(
              keyText(keyOf(names[position] ?? -1)),
            )
            expect(window.find(keyOf(names[position] ?? -1))).toBe(position)
          }
        },
      ),
      { numRuns: 60 },
    )
  })

  test('takes a change only once, however often a watch tells it', () => {
    const server = new Server(numbered(10, flat))
    const window = server.open(100)
    const change = put(textBytes('/flat/x'), 20, 20)
    expect(window.apply(change)).toBe(true)
    expect(window.apply(change)).toBe(false)
    expect(window.length).toBe(11)
  })
})
