import { effectScope, nextTick, ref, shallowRef, type EffectScope } from 'vue'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { useActiveRow } from '../../../../src/renderer/screens/keys/use-active-row.ts'
import type { KeyBrowser } from '../../../../src/renderer/stores/key-browser.ts'
import type { KeySelection } from '../../../../src/renderer/screens/keys/use-key-selection.ts'

/** As much of a browser as a row is found by. */
class Rows {
  readonly changes = shallowRef(0)
  private readonly keys = new Map<number, Uint8Array>()

  read(index: number, key: Uint8Array): void {
    this.keys.set(index, key)
    this.changes.value++
  }

  rowAt(index: number): { readonly key: Uint8Array } | undefined {
    const key = this.keys.get(index)
    return key === undefined ? undefined : { key }
  }

  find(): undefined {
    return undefined
  }
}

const key = Uint8Array.of(7)
const selection = { moveTo: () => undefined, startAt: () => undefined, clear: () => undefined }
const step = { shiftKey: false, ctrlKey: false, metaKey: false } as KeyboardEvent
let scope: EffectScope

beforeEach(() => {
  vi.useFakeTimers()
  scope = effectScope()
})
afterEach(() => {
  scope.stop()
  vi.useRealTimers()
})

function activeRowOf(rows: Rows): {
  readonly opened: Uint8Array[]
  readonly moveTo: (index: number) => void
} {
  const opened: Uint8Array[] = []
  const row = scope.run(() =>
    useActiveRow({
      browser: () => rows as unknown as KeyBrowser,
      openedKey: () => undefined,
      selection: selection as unknown as KeySelection,
      list: ref(null),
      open: (one) => {
        opened.push(one)
      },
    }),
  )
  if (row === undefined) throw new Error('the scope has ended')
  const moveTo = (index: number): void => {
    row.active.value = index
    row.moved(index, step)
  }
  return { opened, moveTo }
}

test('a row that is not read yet when the keyboard rests on it is opened once it is', async () => {
  const rows = new Rows()
  const { opened, moveTo } = activeRowOf(rows)
  moveTo(19_999)
  await vi.advanceTimersByTimeAsync(1_000)
  expect(opened).toEqual([])
  rows.read(19_999, key)
  await nextTick()
  expect(opened).toEqual([key])
  rows.read(3, key)
  await nextTick()
  expect(opened).toHaveLength(1)
})

test('a row that was left before it was read is not opened', async () => {
  const rows = new Rows()
  const { opened, moveTo } = activeRowOf(rows)
  moveTo(19_999)
  await vi.advanceTimersByTimeAsync(1_000)
  moveTo(5)
  rows.read(19_999, key)
  await nextTick()
  expect(opened).toEqual([])
})
