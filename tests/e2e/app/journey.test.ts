/** What a person does with the app from end to end: on our own nodes, and again on real etcd. */

import type { Page } from 'playwright-core'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { isRealEtcdInstalled, RealEtcdCluster } from '../../helpers/real-etcd.ts'
import { closeDisplay, launchApp, type LaunchedApp, type PageWindow } from './launch.ts'

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

const views = (page: Page, name: string): Promise<void> =>
  page.getByRole('navigation', { name: 'Views' }).getByRole('button', { name, exact: true }).click()

/** Text of the editor: its lines as they stand on the screen. */
async function editorText(page: Page): Promise<string> {
  await page.locator('.monaco-editor .view-line').first().waitFor()
  return (await page.locator('.monaco-editor .view-lines').innerText()).replaceAll('\u00a0', ' ')
}

async function createKey(page: Page, key: string, value: string): Promise<void> {
  // The screen that answers to the keys must be there; a view that was chosen mounts a moment later.
  await page.getByTestId('prefix').waitFor({ timeout: 30_000 })
  await page.keyboard.press('Control+n')
  await page.getByRole('textbox', { name: 'Key', exact: true }).fill(key)
  await page.getByRole('textbox', { name: 'Value', exact: true }).fill(value)
  // While nobody leads a write may fail; it is said, and saving again is what a user does then.
  const row = page.getByRole('row', { name: key.slice(key.lastIndexOf('/') + 1) })
  for (let attempt = 1; attempt <= 5; attempt++) {
    await page.keyboard.press('Control+s')
    const isShown = await row.waitFor({ timeout: 8_000 }).then(
      () => true,
      () => false,
    )
    if (isShown) return
  }
  throw new Error(`${key} was not shown after five attempts to save it`)
}

async function startWatch(page: Page, prefix: string): Promise<void> {
  await views(page, 'Watch')
  await page.getByRole('button', { name: 'New watch' }).first().click()
  await page.getByRole('textbox', { name: 'Key or prefix' }).fill(prefix)
  await page.getByRole('dialog').getByRole('button', { name: 'Watch', exact: true }).click()
}

/** Create, edit, read the past, watch, delete. */
async function walkThrough(page: Page): Promise<void> {
  await page.getByText('Connected', { exact: true }).first().waitFor({ timeout: 30_000 })
  await startWatch(page, '/shop/')
  await views(page, 'Keys')
  await createKey(page, '/shop/price', '10 won')
  await expect.poll(() => editorText(page)).toBe('10 won')

  await page.keyboard.press('Control+e')
  await page.getByText('Unchanged').waitFor()
  await page.keyboard.type('1')
  await page.getByText('Not saved', { exact: true }).waitFor()
  await page.keyboard.press('Control+s')
  await page.getByText('Saved /shop/price at').waitFor()
  await expect.poll(() => editorText(page)).toBe('110 won')
  await expect.poll(() => page.getByTestId('fact-version').innerText()).toBe('2')

  await page.getByRole('tab', { name: 'Revisions' }).click()
  const revisions = page.getByLabel('Revisions').getByRole('row')
  await revisions.last().click()
  await page.getByRole('tab', { name: 'Value' }).click()
  await page.getByText('Writing is off').waitFor()
  await expect.poll(() => editorText(page)).toBe('10 won')
  await page.getByRole('button', { name: 'Back to head' }).click()

  await page.getByRole('button', { name: 'Delete…' }).click()
  await page.getByRole('alertdialog').getByRole('button', { name: 'Delete key' }).click()
  // Each write can be taken back; the deletion is told by a line of its own.
  const deletion = page.locator('.toast', { hasText: /deleted/iu })
  await deletion.getByRole('button', { name: 'Undo' }).waitFor()

  await views(page, 'Watch')
  const events = page.getByTestId('watch-event')
  await events.nth(2).waitFor()
  const kinds = await events.evaluateAll((rows) =>
    rows.map(
      (row) =>
        /create|update|delete/.exec((row as unknown as { innerText: string }).innerText)?.[0],
    ),
  )
  expect(kinds).toEqual(['delete', 'update', 'create'])
}

describe('the app on our own nodes', () => {
  test('a key is created, edited, read as it was, watched and deleted', async () => {
    launched = await launchApp()
    await walkThrough(launched.page)
  })

  test('killing the leader shows the election, and the key browser goes on without a reload', async () => {
    launched = await launchApp()
    const { page } = launched
    await page.getByTestId('status-leader').waitFor({ timeout: 30_000 })
    await createKey(page, '/before', 'x')
    await page.evaluate(() => {
      ;(window as unknown as { isSamePage: boolean }).isSamePage = true
    })
    // The first look at the cluster may have been before its first election.
    await expect
      .poll(() => page.getByTestId('status-leader').innerText(), { timeout: 20_000 })
      .toMatch(/^node[123]$/)
    const leader = await page.getByTestId('status-leader').innerText()
    const term = await page.getByTestId('status-term').innerText()
    await views(page, 'Playground')
    await page.getByRole('button', { name: 'Kill leader' }).click()
    await page.locator(`[data-node=${leader}]`).getByText('killed').waitFor()
    await expect
      .poll(() => page.getByTestId('status-leader').innerText(), { timeout: 20_000 })
      .not.toBe(leader)
    await expect
      .poll(() => page.getByTestId('status-leader').innerText(), { timeout: 20_000 })
      .toMatch(/^node[123]$/)
    await expect.poll(() => page.getByTestId('status-term').innerText()).not.toBe(term)

    await views(page, 'Keys')
    await createKey(page, '/after', 'y')
    await page.getByRole('row', { name: 'before' }).click()
    await expect.poll(() => editorText(page)).toBe('x')
    expect(
      await page.evaluate(() => (window as unknown as { isSamePage?: boolean }).isSamePage),
    ).toBe(true)

    await views(page, 'Playground')
    await page.getByRole('button', { name: `Start ${leader}` }).click()
    await page.locator(`[data-node=${leader}]`).getByText('running').waitFor({ timeout: 20_000 })
  })
})

describe.runIf(isRealEtcdInstalled())('the app on real etcd', () => {
  test('a key is created, edited, read as it was, watched and deleted', async () => {
    cluster = await RealEtcdCluster.start(1)
    launched = await launchApp({ flags: [`--connect=${cluster.clientUrls.join(',')}`] })
    await walkThrough(launched.page)
  })

  test('losing the member that serves is no more than a pause', async () => {
    cluster = await RealEtcdCluster.start(3)
    const { members } = cluster
    launched = await launchApp({ flags: [`--connect=${cluster.clientUrls.join(',')}`] })
    const { page } = launched
    await page.getByText('Connected', { exact: true }).first().waitFor({ timeout: 30_000 })
    await createKey(page, '/one', '1')
    await members[0]!.signal('SIGKILL')
    await page.getByText('2 of 3 members answer').waitFor({ timeout: 30_000 })
    await createKey(page, '/two', '2')
    await page.getByRole('row', { name: 'one' }).click()
    await expect.poll(() => editorText(page)).toBe('1')
    await page.getByText('2 of 3 members answer').waitFor()
  })
})
