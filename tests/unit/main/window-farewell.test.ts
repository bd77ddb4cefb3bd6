import { describe, expect, test, vi } from 'vitest'
import { farewellTimeoutMs, WindowFarewell } from '../../../src/main/window-farewell.ts'
import { ManualClock } from '../../helpers/manual-clock.ts'

function farewellWithPage(): {
  readonly clock: ManualClock
  readonly farewell: WindowFarewell
  readonly page: ReturnType<typeof vi.fn>
} {
  const clock = new ManualClock()
  const farewell = new WindowFarewell(clock)
  const page = vi.fn()
  farewell.onClosing(page)
  return { clock, farewell, page }
}

/** Whether a promise is resolved by now. */
async function isResolved(promise: Promise<void>): Promise<boolean> {
  return Promise.race([promise.then(() => true), Promise.resolve().then(() => false)])
}

describe('a window that is about to close', () => {
  test('waits until its page has kept its state, and asks it once', async () => {
    const { clock, farewell, page } = farewellWithPage()
    const asked = [farewell.ask(), farewell.ask()]
    expect(page).toHaveBeenCalledTimes(1)
    expect(await isResolved(Promise.all(asked).then(() => undefined))).toBe(false)
    expect(farewell.isOver).toBe(false)
    farewell.pageIsReady()
    await Promise.all(asked)
    await farewell.ask()
    expect([farewell.isOver, page.mock.calls.length, clock.waitingCount]).toEqual([true, 1, 0])
  })

  test('closes without a page that does not answer', async () => {
    const { clock, farewell } = farewellWithPage()
    const asked = farewell.ask()
    clock.advance(farewellTimeoutMs)
    await asked
    expect(farewell.isOver).toBe(true)
  })

  test('closes at once when no page listens, and asks the page of the next window', async () => {
    const farewell = new WindowFarewell(new ManualClock())
    await farewell.ask()
    const page = vi.fn()
    const end = farewell.onClosing(page)
    const asked = farewell.ask()
    farewell.pageIsReady()
    await asked
    end()
    expect([page.mock.calls.length, farewell.hasPage]).toEqual([1, false])
  })
})
