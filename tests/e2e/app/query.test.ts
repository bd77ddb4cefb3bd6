/** Transactions, ranges side by side, and tabs that come back: on real etcd and on our own nodes in one window. */

import type { Locator, Page } from 'playwright-core'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { isRealEtcdInstalled, RealEtcdCluster } from '../../helpers/real-etcd.ts'
import { keyboardOf, mouseOf, type Hand } from './hands.ts'
import { closeDisplay, launchApp, type LaunchedApp, type PageWindow } from './launch.ts'
import { findViolations } from './page-acts.ts'

declare const window: PageWindow

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

const slow = { timeout: 30_000 }

async function showQueries(page: Page): Promise<void> {
  await page
    .getByRole('navigation', { name: 'Views' })
    .getByRole('button', { name: 'Queries', exact: true })
    .click()
  await page.getByTestId('query-run-button').waitFor(slow)
}

/** Chooses a connection by the switcher above the side bar. */
async function switchTo(page: Page, name: string): Promise<void> {
  await page.getByRole('button', { name: /^Connection .*, switch$/ }).click()
  await page.locator('.n-dropdown-option').filter({ hasText: name }).click()
  await page.getByRole('button', { name: `Connection ${name}, switch`, exact: true }).waitFor(slow)
}

const branch = (page: Page): Locator => page.getByTestId('outcome-branch')

/** Puts keys without the page's screens, as another client would. */
async function putKeys(
  page: Page,
  connectionName: string,
  keys: Readonly<Record<string, string>>,
): Promise<void> {
  const failures = await page.evaluate(
    async ({ name, pairs }) => {
      const list = await window.bridge.connections.list()
      const id = list.ok ? list.value.find((one) => one.name === name)?.id : undefined
      if (id === undefined) return [`${name} is not there`]
      const encoder = new TextEncoder()
      const failed: string[] = []
      for (const [key, value] of pairs) {
        const request = { connectionId: id, key: encoder.encode(key), value: encoder.encode(value) }
        const reply = await window.bridge.kv.put(request)
        if (!reply.ok) failed.push(reply.error.message)
      }
      return failed
    },
    { name: connectionName, pairs: Object.entries(keys) },
  )
  expect(failures).toEqual([])
}

async function expectNoViolations(page: Page, place: string): Promise<void> {
  expect(await findViolations(page), place).toEqual([])
}

const savedQuery = (page: Page, name: string): Locator =>
  page.getByRole('list', { name: 'Saved' }).getByRole('button', { name, exact: true })
const saveDialog = (page: Page): Locator =>
  page.getByRole('dialog', { name: 'Save by name', exact: true })

/** The key that the first operation of Then writes. */
const writtenKey = (page: Page): Promise<string> =>
  page
    .getByRole('region', { name: 'Then', exact: true })
    .getByRole('textbox', { name: 'Key', exact: true })
    .first()
    .inputValue()

/** What is written is kept by a name, and comes back by it after another one was opened. */
async function keepDraft(page: Page, hand: Hand, name: string): Promise<void> {
  const key = await writtenKey(page)
  if (hand.name === 'mouse') await hand.press(page.getByRole('button', { name: 'Save…' }))
  else await page.keyboard.press('Control+s')
  await hand.fill(saveDialog(page).getByRole('textbox', { name: 'Name' }), name)
  if (hand.name === 'mouse')
    await hand.press(saveDialog(page).getByRole('button', { name: 'Save', exact: true }))
  else await page.keyboard.press('Enter')
  await saveDialog(page).waitFor({ state: 'detached', ...slow })
  await savedQuery(page, name).waitFor(slow)
  await hand.press(page.getByRole('button', { name: 'Counter', exact: true }))
  await expect.poll(() => writtenKey(page)).toBe('/counters/name')
  await hand.press(savedQuery(page, name))
  await expect.poll(() => writtenKey(page)).toBe(key)
}

/** By mouse: a template, looked at, run, run again, and a delete that asks first. */
async function walkByMouse(app: LaunchedApp): Promise<void> {
  const { page } = app
  await showQueries(page)
  await page.getByRole('button', { name: 'Create if absent' }).click()
  await keepDraft(page, mouseOf(app), 'made once')
  await page.getByRole('button', { name: 'What would happen now' }).click()
  await page.getByTestId('compare-finding').getByText('no such key').waitFor()
  await page.getByTestId('branch-then').waitFor()

  await page.getByTestId('query-run-button').click()
  await expect.poll(() => branch(page).innerText()).toBe('Then was run')
  await page.getByTestId('query-run-button').click()
  await expect.poll(() => branch(page).innerText()).toBe('Else was run')
  await page.getByTestId('reply').getByRole('row').getByText('/new/key', { exact: true }).waitFor()

  const elseSection = page.getByRole('region', { name: 'Else', exact: true })
  await elseSection.getByRole('button', { name: 'Add delete to Else' }).click()
  const row = elseSection.getByRole('listitem', { name: 'Else, operation 2' })
  await row.getByLabel('Which keys').selectOption('prefix')
  await row.getByRole('textbox', { name: 'Prefix' }).fill('/new/')
  await page.getByTestId('query-run-button').click()
  const dialog = page.getByRole('alertdialog')
  await dialog.getByText('1 key', { exact: true }).waitFor()
  await expect
    .poll(() =>
      dialog
        .getByRole('button', { name: 'Cancel' })
        .evaluate((one) =>
          (one as unknown as { matches(selector: string): boolean }).matches(':focus'),
        ),
    )
    .toBe(true)
  await dialog.getByRole('button', { name: 'Run and delete' }).click()
  await page.getByTestId('reply').getByText('1 key deleted').waitFor()
  await expect.poll(() => page.getByTestId('query-run').count()).toBe(3)
}

/** By keyboard: a range read in both ways and from every member, and a transaction by its shortcuts. */
async function walkByKeyboard(app: LaunchedApp, memberCount: number): Promise<void> {
  const { page } = app
  await showQueries(page)
  await keyboardOf(app).press(page.getByRole('button', { name: 'Lock', exact: true }))
  await keepDraft(page, keyboardOf(app), 'a lock')
  await page.keyboard.press('Control+Shift+Enter')
  await page.getByTestId('branch-then').waitFor()
  await page.keyboard.press('Control+Enter')
  await expect.poll(() => branch(page).innerText()).toBe('Then was run')

  await page.keyboard.press('Control+Shift+M')
  await page.getByRole('textbox', { name: 'Prefix' }).fill('/locks/')
  await page.keyboard.press('Control+Enter')
  await page.locator('[data-answer=serializable]').getByText('1 key', { exact: true }).waitFor()
  await page.locator('[data-answer=linearizable]').getByText('1 key', { exact: true }).waitFor()
  await page.getByTestId('agreement').getByText('All answers agree').waitFor()

  await page.getByRole('radio', { name: 'Both' }).focus()
  await page.keyboard.press('ArrowRight')
  await page.keyboard.press('Control+Enter')
  const answers = page.getByTestId('answer-member')
  await expect.poll(() => answers.count()).toBe(memberCount + 1)
  // Every member answers for itself.
  await expect
    .poll(async () => new Set((await answers.allInnerTexts()).slice(1)).size)
    .toBe(memberCount)
  await page.keyboard.press('Control+Shift+M')
}

/** By mouse: a range read in both ways, its keys alone, and back to transactions. */
async function readByMouse(app: LaunchedApp): Promise<void> {
  const { page } = app
  const hand = mouseOf(app)
  await hand.choose(page.getByRole('radio', { name: 'Range', exact: true }))
  await hand.choose(page.getByRole('radio', { name: 'Both', exact: true }))
  await hand.fill(page.getByRole('textbox', { name: 'Prefix' }), '/locks/')
  await page.getByRole('checkbox', { name: 'Keys only', exact: true }).check()
  await hand.press(page.getByTestId('query-run-button'))
  for (const way of ['serializable', 'linearizable'])
    await page.locator(`[data-answer=${way}]`).getByText('1 key', { exact: true }).waitFor()
  await page.getByTestId('agreement').getByText('All answers agree').waitFor()
  await page.getByRole('checkbox', { name: 'Keys only', exact: true }).uncheck()
  await hand.choose(page.getByRole('radio', { name: 'Transaction', exact: true }))
}

describe.runIf(isRealEtcdInstalled())('transactions and queries', () => {
  test('are built, looked at and run by mouse and by keyboard, on real etcd and on our nodes', async () => {
    cluster = await RealEtcdCluster.start(1)
    launched = await launchApp({
      flags: [`--connect=${cluster.clientUrls.join(',')}`, '--playground=3'],
    })
    const { page } = launched
    await page.getByText('Connected', { exact: true }).first().waitFor(slow)
    await walkByMouse(launched)
    await walkByKeyboard(launched, 1)
    await readByMouse(launched)
    await switchTo(page, 'Playground')
    await page.getByText('Connected', { exact: true }).first().waitFor(slow)
    await walkByMouse(launched)
    await expectNoViolations(page, 'transaction')
    await walkByKeyboard(launched, 3)
    await readByMouse(launched)
    await page.keyboard.press('Control+Shift+M')
    await expectNoViolations(page, 'range')
  })
})

const tabsOf = (page: Page): Locator => page.getByRole('tablist', { name: 'Tabs' }).getByRole('tab')

async function editorText(page: Page): Promise<string> {
  await page.locator('.monaco-editor .view-line').first().waitFor(slow)
  return (await page.locator('.monaco-editor .view-lines').innerText()).replaceAll('\u00a0', ' ')
}

async function openKey(page: Page, prefix: string, name: string): Promise<void> {
  await page.getByTestId('prefix').waitFor(slow)
  await page.getByTestId('prefix').fill(prefix)
  await page.getByRole('grid').getByRole('row').filter({ hasText: name }).click()
}

describe.runIf(isRealEtcdInstalled())('tabs', () => {
  test('of two clusters never mix their answers, and come back after a restart', async () => {
    cluster = await RealEtcdCluster.start(1)
    launched = await launchApp()
    const { page } = launched
    await page.getByText('Connected', { exact: true }).first().waitFor(slow)
    const opened = await page.evaluate(
      (endpoints) => window.bridge.connections.open({ endpoints, name: 'real', isSaved: true }),
      cluster.clientUrls,
    )
    expect(opened.ok).toBe(true)
    await putKeys(page, 'real', { '/same/name': 'of real etcd' })
    await putKeys(page, 'Playground', { '/same/name': 'of our nodes' })

    await openKey(page, '/same/', 'name')
    await expect.poll(() => editorText(page)).toBe('of our nodes')
    await switchTo(page, 'real')
    await openKey(page, '/same/', 'name')
    await expect.poll(() => editorText(page)).toBe('of real etcd')
    // The first tab is the browser of our nodes, the second the welcome, the third the browser of real etcd.
    for (let round = 0; round < 3; round++) {
      await page.keyboard.press('Control+1')
      await expect.poll(() => editorText(page)).toBe('of our nodes')
      await page.keyboard.press('Control+9')
      await expect.poll(() => editorText(page)).toBe('of real etcd')
    }
    await page.keyboard.press('Alt+ArrowLeft')
    await expect.poll(() => editorText(page)).toBe('of our nodes')
    await page.keyboard.press('Alt+ArrowRight')
    await expect.poll(() => editorText(page)).toBe('of real etcd')

    // By mouse to the front, and by keyboard one place to the right, back, and to the right again.
    await tabsOf(page).last().dragTo(tabsOf(page).first())
    await expect.poll(() => tabsOf(page).first().getAttribute('aria-selected')).toBe('true')
    for (const [key, place] of [
      ['PageDown', 1],
      ['PageUp', 0],
      ['PageDown', 1],
    ] as const) {
      await page.keyboard.press(`Control+Shift+${key}`)
      await expect.poll(() => tabsOf(page).nth(place).getAttribute('aria-selected')).toBe('true')
    }
    const labels = await tabsOf(page).allInnerTexts()

    // Closed and opened again at its place, by each hand.
    const others = labels.filter((_, at) => at !== 1)
    for (const close of [
      () => tabsOf(page).nth(1).locator('xpath=..').getByTestId('tab-close').click(),
      () => page.keyboard.press('Control+w'),
    ]) {
      await close()
      await expect.poll(() => tabsOf(page).allInnerTexts()).toEqual(others)
      await page.keyboard.press('Control+Shift+T')
      await expect.poll(() => tabsOf(page).allInnerTexts()).toEqual(labels)
      await expect.poll(() => editorText(page)).toBe('of real etcd')
    }
    // A comparison of the two stands behind the others.
    await page.keyboard.press('Control+Shift+D')
    await page.getByLabel('Connection on the left').selectOption({ label: 'Playground' })
    await page.getByLabel('Connection on the right').selectOption({ label: 'real' })
    await page.getByTestId('compare-start').click()
    await page.getByTestId('differences').getByText('name', { exact: true }).waitFor(slow)
    labels.push(...(await tabsOf(page).allInnerTexts()).slice(-1))
    await page.keyboard.press('Control+2')
    await expect.poll(() => editorText(page)).toBe('of real etcd')
    await page.locator('[data-sort=mod]').click()
    await page.getByText(/rows, sorted by/u).waitFor(slow)
    // Nothing is waited for: what was done last is kept too.
    const { userDataDirectory, pageErrors } = launched
    await launched.close({ keepsFiles: true })
    expect(pageErrors).toEqual([])
    launched = await launchApp({ userDataDirectory })
    const again = launched.page
    await expect.poll(() => tabsOf(again).allInnerTexts()).toEqual(labels)
    await expect.poll(() => tabsOf(again).nth(1).getAttribute('aria-selected')).toBe('true')
    await expect.poll(() => editorText(again)).toBe('of real etcd')
    await again.getByText(/rows, sorted by/u).waitFor(slow)
    await again.keyboard.press('Control+1')
    await expect.poll(() => editorText(again)).toBe('of our nodes')
    await again.keyboard.press('Control+9')
    await again.getByTestId('differences').getByText('name', { exact: true }).waitFor(slow)
    const sides = ['left', 'right'].map((side) =>
      again.getByLabel(`Connection on the ${side}`).locator('option:checked').innerText(),
    )
    expect(await Promise.all(sides)).toEqual(['Playground', 'real'])
  })
})
