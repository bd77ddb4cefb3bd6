/** Time travel from end to end, by keyboard and by mouse: on our own nodes, and again on real etcd. */

import type { Locator, Page } from 'playwright-core'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { etcdctl } from '../../helpers/etcdctl.ts'
import { isRealEtcdInstalled, RealEtcdCluster } from '../../helpers/real-etcd.ts'
import { closeDisplay, launchApp, type LaunchedApp, type PageWindow } from './launch.ts'
import { findViolations } from './page-acts.ts'

declare const window: PageWindow

const patienceMs = 45_000

let launched: LaunchedApp | undefined
let cluster: RealEtcdCluster | undefined
afterEach(async () => {
  const app = launched
  launched = undefined
  await app?.close()
  cluster?.stop()
  cluster = undefined
  expect(app?.pageErrors ?? []).toEqual([])
})
afterAll(closeDisplay)

interface Past {
  readonly connectionId: string
  readonly endpoint: string
  /** The revision of each write, in order. */
  readonly revisions: readonly number[]
  /** The clock right after the third write of `/t/a`, before the next one. */
  readonly clockText: string
}

/**
 * Twenty writes of `/t/a`, with `/t/gone` there from the start until it is deleted after ten of them. A write that fails
 * while nobody leads is asked again; its outcome is known by the guard.
 */
function writePast(page: Page): Promise<Past> {
  return page.evaluate(async () => {
    const { app, connections, kv } = window.bridge
    const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
    const info = await app.info()
    const connectionId = info.ok ? (info.value.initialConnectionId ?? '') : ''
    const known = await connections.list()
    const own = known.ok ? known.value.find((one) => one.id === connectionId) : undefined
    const put = async (key: string, value: string): Promise<number> => {
      for (;;) {
        const reply = await kv.put({ connectionId, key: bytes(key), value: bytes(value) })
        if (reply.ok && reply.value.kind === 'written') return reply.value.revision
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
    }
    const revisions: number[] = [await put('/t/gone', 'soon')]
    let clockText = ''
    for (let at = 0; at < 10; at++) {
      revisions.push(await put('/t/a', `value ${String(at)}`))
      if (at !== 2) continue
      const now = new Date()
      const two = (number: number): string => String(number).padStart(2, '0')
      const clock = [now.getHours(), now.getMinutes(), now.getSeconds()].map(two).join(':')
      clockText = `${clock}.${String(now.getMilliseconds()).padStart(3, '0')}`
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    for (;;) {
      const gone = { kind: 'delete', range: { kind: 'key', key: bytes('/t/gone') } } as const
      const reply = await kv.txn({
        ...{ connectionId, compares: [], thenOperations: [gone], elseOperations: [] },
      })
      if (!reply.ok) continue
      revisions.push(reply.value.revision)
      break
    }
    for (let at = 10; at < 20; at++) revisions.push(await put('/t/a', `value ${String(at)}`))
    return { connectionId, endpoint: own?.endpoints[0]?.url ?? '', revisions, clockText }
  })
}

const banner = (page: Page): Locator => page.getByTestId('travel-banner')
const reading = (page: Page, revision: number): Promise<void> =>
  banner(page)
    .getByText(`Reading r${String(revision)},`)
    .waitFor({ timeout: patienceMs })
const row = (page: Page, name: string): Locator =>
  page
    .getByRole('grid', { name: 'Keys' })
    .getByRole('row')
    .filter({ has: page.getByText(name, { exact: true }) })

async function typeRevision(page: Page, text: string): Promise<void> {
  await page.keyboard.press('Control+g')
  const field = page.getByTestId('revision-field')
  await field.waitFor({ timeout: patienceMs })
  await field.fill(text)
  await field.press('Enter')
}

async function openPast(page: Page): Promise<Past> {
  await page.getByText('Connected', { exact: true }).first().waitFor({ timeout: patienceMs })
  const past = await writePast(page)
  await page
    .getByRole('navigation', { name: 'Views' })
    .getByRole('button', { name: 'Keys', exact: true })
    .click()
  const prefix = page.getByTestId('prefix')
  await prefix.fill('/t/')
  await prefix.press('Enter')
  await row(page, 'a').waitFor({ timeout: patienceMs })
  return past
}

/** Everything without the mouse: go to, steps, changes, bookmarks, the slider, and back. */
async function walkByKeyboard(page: Page, { revisions, clockText }: Past): Promise<void> {
  const [first = 0, , third = 0] = revisions
  const last = revisions.at(-1) ?? 0
  await typeRevision(page, 'soon')
  await page
    .getByText('Type a revision, for example 84210, or a time, for example 14:03.')
    .waitFor()
  await typeRevision(page, String(last + 1_000_000))
  await page.getByText(/^The cluster is at r\d+\./u).waitFor()
  await typeRevision(page, '2001-02-03 04:05')
  await page.getByText(/^This app has looked since \d\d:/u).waitFor()
  await typeRevision(page, clockText)
  await reading(page, revisions[3] ?? 0)
  await typeRevision(page, String(third))
  await reading(page, third)
  await row(page, 'gone').waitFor({ timeout: patienceMs })
  await expect
    .poll(() => row(page, 'gone').innerText(), { timeout: patienceMs })
    .toContain(`deleted r${String(revisions[11])}`)
  await expect
    .poll(() => row(page, 'a').innerText(), { timeout: patienceMs })
    .toContain(`updated r${String(revisions[3])} +17`)
  await page.getByRole('grid', { name: 'Keys' }).focus()
  await page.keyboard.press('Control+n')
  await page.keyboard.press('[')
  await reading(page, third - 1)
  await expect.poll(() => page.getByRole('dialog').count()).toBe(0)
  await page.keyboard.press(']')
  await reading(page, third)
  await page.keyboard.press('Alt+[')
  await reading(page, revisions[1] ?? 0)
  await page.keyboard.press('Alt+b')
  await page.getByRole('textbox', { name: 'Name of this revision' }).fill('second write')
  await page.keyboard.press('Enter')
  await page.getByRole('dialog').waitFor({ state: 'detached' })
  const slider = page.getByTestId('revision-slider')
  await slider.focus()
  await page.keyboard.press('Home')
  await reading(page, 1)
  await page.keyboard.press('PageUp')
  await page.keyboard.press('End')
  await banner(page).waitFor({ state: 'detached', timeout: patienceMs })
  await page.keyboard.press('Control+k')
  await page.getByRole('combobox', { name: 'Command palette' }).fill('@second')
  await page.keyboard.press('Enter')
  await reading(page, revisions[1] ?? 0)
  await page.keyboard.press('Control+Shift+G')
  await banner(page).waitFor({ state: 'detached', timeout: patienceMs })
  expect(first).toBeLessThan(last)
}

/** The same with the mouse alone, and what changed since. */
async function walkByMouse(page: Page, { revisions }: Past): Promise<void> {
  const last = revisions.at(-1) ?? 0
  await page.getByRole('button', { name: 'One revision back' }).last().click()
  await reading(page, last - 1)
  await page.getByRole('button', { name: '−10', exact: true }).click()
  await reading(page, last - 11)
  await page.getByRole('button', { name: 'Previous change of these keys' }).click()
  await reading(page, last - 12)
  await page.getByRole('button', { name: 'Next change of these keys' }).click()
  await reading(page, last - 11)
  await page.getByRole('button', { name: 'Bookmarks of this cluster' }).click()
  const bookmark = page.getByRole('dialog').getByTestId('bookmark')
  await bookmark.getByRole('button', { name: `r${String(revisions[1])}`, exact: true }).click()
  await reading(page, revisions[1] ?? 0)
  await typeRevision(page, String(last - 5))
  await reading(page, last - 5)
  const name = `second write, r${String(revisions[1])}`
  await page.getByTestId('revision-track').getByRole('button', { name }).click()
  await reading(page, revisions[1] ?? 0)
  await page.getByTestId('revision-field').click()
  await page.getByTestId('revision-field').fill(String(last - 11))
  await page.getByTestId('revision-field').press('Enter')
  await reading(page, last - 11)
  await page.getByRole('button', { name: 'What changed since' }).click()
  const changes = page.getByTestId('travel-changes')
  await changes.getByText('a', { exact: true }).click()
  await changes.getByText(`value 19`).first().waitFor({ timeout: patienceMs })
  await page.getByRole('button', { name: 'What changed since' }).click()
  await changes.waitFor({ state: 'detached' })
  const box = await page.getByTestId('revision-track').boundingBox()
  if (box === null) throw new Error('the timeline has no place')
  await page.mouse.click(box.x + box.width * 0.4, box.y + box.height - 10)
  await expect
    .poll(() => page.getByTestId('revision-field').inputValue(), { timeout: patienceMs })
    .not.toBe(String(last - 11))
  await page.getByRole('button', { name: /^Back to head/u }).click()
  await banner(page).waitFor({ state: 'detached', timeout: patienceMs })
}

/** Runs the plan that is shown, and takes back what it did; answers what it was to write. */
async function runAndUndo(page: Page, told: string): Promise<string> {
  const run = page.getByTestId('plan-run')
  await run.waitFor({ timeout: patienceMs })
  await expect.poll(() => run.isEnabled(), { timeout: patienceMs }).toBe(true)
  const text = await page.getByRole('grid', { name: 'Rows of the plan' }).innerText()
  await page.keyboard.press('Control+Enter')
  await page.getByTestId('plan-report').waitFor({ timeout: patienceMs })
  await page.getByTestId('plan-undo').click()
  // The undo is a plan with a dialog of its own, which closes by itself.
  await page.locator('.toast').filter({ hasText: told }).waitFor({ timeout: patienceMs })
  await page.locator('dialog[open]').waitFor({ state: 'detached', timeout: patienceMs })
  return text.replaceAll(/\s+/gu, ' ')
}

/** Chosen keys become as they were: both by a button, one by its menu and keys alone. */
async function restoreChosen(page: Page, { revisions }: Past): Promise<void> {
  await typeRevision(page, String(revisions[3]))
  await reading(page, revisions[3] ?? 0)
  await row(page, 'a').click()
  await row(page, 'gone').click({ modifiers: ['Shift'] })
  await page.getByTestId('restore-chosen').click()
  const both = await runAndUndo(page, '2 writes undone')
  expect([both.includes('/t/a '), both.includes('/t/gone ')]).toEqual([true, true])
  await page.getByRole('grid', { name: 'Keys' }).focus()
  await page.keyboard.press('Escape')
  await page.keyboard.press('Home')
  await page.keyboard.press('Shift+F10')
  const item = page.getByRole('menuitem', { name: `Restore to r${String(revisions[3])}…` })
  await item.waitFor({ timeout: patienceMs })
  await item.press('Enter')
  const one = await runAndUndo(page, '1 write undone')
  expect([one.includes('/t/a '), one.includes('/t/gone ')]).toEqual([true, false])
}

/** The revision is compacted while it is read. */
async function walkIntoCompaction(page: Page, { revisions, endpoint }: Past): Promise<void> {
  const [, second = 0] = revisions
  const kept = revisions[6] ?? 0
  await typeRevision(page, String(second))
  await reading(page, second)
  const { code, stderr } = await etcdctl(['compaction', String(kept)], { endpoints: endpoint })
  expect([code, stderr]).toEqual([0, ''])
  await page.keyboard.press('F5')
  const notice = page.getByTestId('travel-notice')
  await notice.getByText('That revision is gone:').waitFor({ timeout: patienceMs })
  await notice
    .getByRole('button', { name: `Go to r${String(kept)}` })
    .click({ timeout: patienceMs })
  await reading(page, kept)
  await row(page, 'gone').waitFor({ timeout: patienceMs })
}

async function walk(page: Page): Promise<void> {
  const past = await openPast(page)
  await walkByKeyboard(page, past)
  await walkByMouse(page, past)
  await restoreChosen(page, past)
  await walkIntoCompaction(page, past)
  expect(await findViolations(page)).toEqual([])
}

describe('time travel', () => {
  test('on our own nodes', { timeout: 180_000 }, async () => {
    launched = await launchApp({ flags: ['--playground=1'] })
    await walk(launched.page)
  })

  test.runIf(isRealEtcdInstalled())('on real etcd', { timeout: 180_000 }, async () => {
    cluster = await RealEtcdCluster.start(1)
    launched = await launchApp({ flags: [`--connect=${cluster.clientUrls.join(',')}`] })
    await walk(launched.page)
  })
})
