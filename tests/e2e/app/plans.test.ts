/** Deleted keys and plans in the real app, by mouse and by keyboard: on our own node, and on a real etcd. */

import type { Locator, Page } from 'playwright-core'
import { afterAll, afterEach, expect, test } from 'vitest'
import { isRealEtcdInstalled, RealEtcdCluster } from '../../helpers/real-etcd.ts'
import { keyboardOf, reach } from './hands.ts'
import { closeDisplay, launchApp, type LaunchedApp, type PageWindow } from './launch.ts'
import { findViolations } from './page-acts.ts'

declare const window: PageWindow

/** For a machine three times slower than the one that this was written on. */
const patience = { timeout: 20_000 }

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

/** Writes and deletes keys as somebody else would: one transaction each. Answers the revision. */
function transact(
  page: Page,
  operations: readonly { readonly key: string; readonly value?: string }[],
): Promise<number> {
  return page.evaluate(async (wanted) => {
    const info = await window.bridge.app.info()
    const connectionId = info.ok ? (info.value.initialConnectionId ?? '') : ''
    const encoder = new TextEncoder()
    const reply = await window.bridge.kv.txn({
      connectionId,
      compares: [],
      thenOperations: wanted.map(({ key, value }) =>
        value === undefined
          ? { kind: 'delete', range: { kind: 'key', key: encoder.encode(key) } }
          : { kind: 'put', key: encoder.encode(key), value: encoder.encode(value) },
      ),
      elseOperations: [],
    })
    if (!reply.ok) throw new Error(reply.error.message)
    return reply.value.revision
  }, operations)
}

/** What stands in the cluster under a prefix. */
function stateOf(page: Page, prefix: string): Promise<Readonly<Record<string, string>>> {
  return page.evaluate(async (wanted) => {
    const info = await window.bridge.app.info()
    const connectionId = info.ok ? (info.value.initialConnectionId ?? '') : ''
    const reply = await window.bridge.kv.range({
      connectionId,
      range: { kind: 'prefix', prefix: new TextEncoder().encode(wanted) },
      limit: 1_000,
      revision: 0,
      valueBytesMax: 1_000,
    })
    if (!reply.ok) throw new Error(reply.error.message)
    const { columns } = reply.value
    const text = (bytes: Uint8Array, offsets: Uint32Array, row: number): string =>
      new TextDecoder().decode(bytes.subarray(offsets[row], offsets[row + 1]))
    return Object.fromEntries(
      Array.from({ length: columns.rowCount }, (_, row) => [
        text(columns.keyBytes, columns.keyOffsets, row),
        text(columns.valueBytes, columns.valueOffsets, row),
      ]),
    )
  }, prefix)
}

const binRow = (page: Page, number: number): Locator =>
  page
    .getByRole('grid', { name: 'Deleted keys' })
    .locator(`[role=row][aria-rowindex="${String(number)}"]`)

async function expectBin(page: Page, text: string): Promise<void> {
  await expect.poll(() => page.getByTestId('bin-count').innerText(), patience).toBe(text)
}

async function openBin(page: Page, prefix: string): Promise<void> {
  await page
    .getByRole('navigation', { name: 'Views' })
    .getByRole('button', { name: 'Deleted keys', exact: true })
    .click()
  await page.getByTestId('bin-prefix').fill(prefix)
  await page.getByTestId('bin-prefix').press('Enter')
  await expect.poll(() => page.getByTestId('bin-state').innerText(), patience).toContain('Live')
}

async function expectNoViolations(page: Page): Promise<void> {
  // The screens are the same on every cluster; one of them is enough for looking at each element.
  if (cluster !== undefined) return
  expect(await findViolations(page)).toEqual([])
}

async function seed(page: Page, prefix: string): Promise<number> {
  const keys = ['a/1', 'a/2', 'a/3', 'b'].map((name) => `${prefix}${name}`)
  const written = await transact(
    page,
    keys.map((key) => ({ key, value: `value of ${key}` })),
  )
  await transact(page, [{ key: `${prefix}a/1` }, { key: `${prefix}a/2` }])
  await transact(page, [{ key: `${prefix}b` }])
  return written
}

async function walkByMouse(page: Page): Promise<void> {
  const prefix = '/mouse/'
  const written = await seed(page, prefix)
  await openBin(page, prefix)
  await expectBin(page, '3 deleted')
  await expect.poll(() => binRow(page, 1).innerText(), patience).toMatch(/^b\s/)
  await binRow(page, 2).click()
  const detail = page.getByTestId('bin-detail')
  await expect.poll(() => page.getByTestId('bin-together').innerText(), patience).toBe('2 keys')
  await detail.locator('.monaco-editor .view-line').first().waitFor(patience)
  const value = await detail.locator('.monaco-editor .view-lines').innerText()
  expect(value.replaceAll('\u00a0', ' ')).toBe('value of /mouse/a/1')
  await page.getByRole('radio', { name: 'Folders' }).click()
  const folders = page.getByRole('treegrid', { name: 'Deleted keys' })
  await folders.getByText('2 keys', { exact: true }).waitFor(patience)
  await expectNoViolations(page)
  await page.getByRole('radio', { name: 'Newest first' }).click()
  await binRow(page, 3).waitFor(patience)

  await page.getByTestId('bin-restore-one').click()
  const dialog = page.locator('dialog[open]')
  await expect.poll(() => page.getByTestId('plan-counts').innerText(), patience).toContain('1')
  await page.getByTestId('plan-run').click()
  await dialog.locator('[data-count=done] dd').getByText('1', { exact: true }).waitFor(patience)
  await dialog.getByRole('button', { name: 'Close', exact: true }).click()
  await expectBin(page, '2 deleted')
  await page.getByRole('button', { name: 'Undo', exact: true }).click()
  await expectBin(page, '3 deleted')

  // The whole prefix as it was: one key was changed meanwhile, one is new, three are deleted.
  await transact(page, [
    { key: `${prefix}a/3`, value: 'changed' },
    { key: `${prefix}new`, value: 'new' },
  ])
  await page.getByRole('button', { name: 'Restore prefix to a revision…' }).click()
  await page.getByTestId('restore-revision').fill(String(written))
  await expectNoViolations(page)
  await page.getByRole('button', { name: 'Preview…' }).click()
  await page.getByTestId('plan-typed').waitFor(patience)
  await expectNoViolations(page)
  await expect.poll(() => page.getByTestId('plan-run').isDisabled()).toBe(true)
  await page.getByTestId('plan-typed').fill('5')
  await page.getByTestId('plan-run').click()
  await dialog.locator('[data-count=done] dd').getByText('5', { exact: true }).waitFor(patience)
  await expectNoViolations(page)
  await expect
    .poll(() => stateOf(page, prefix))
    .toEqual({
      '/mouse/a/1': 'value of /mouse/a/1',
      '/mouse/a/2': 'value of /mouse/a/2',
      '/mouse/a/3': 'value of /mouse/a/3',
      '/mouse/b': 'value of /mouse/b',
    })
  await page.getByTestId('plan-undo').click()
  await expect
    .poll(() => stateOf(page, prefix), patience)
    .toEqual({ '/mouse/a/3': 'changed', '/mouse/new': 'new' })
  await dialog.waitFor({ state: 'detached', ...patience })
}

async function walkByKeyboard(app: LaunchedApp): Promise<void> {
  const { page } = app
  const prefix = '/keyboard/'
  const written = await seed(page, prefix)
  await openBin(page, prefix)
  await expectBin(page, '3 deleted')
  await page.keyboard.press('Control+f')
  await page.keyboard.type('a/')
  await expect.poll(() => binRow(page, 1).innerText(), patience).toMatch(/^a\/1\s/)
  await page.keyboard.press('Enter')
  await page.keyboard.press('Control+a')
  await expect
    .poll(() => page.getByTestId('bin-chosen').innerText(), patience)
    .toBe('2 of 3 chosen')
  await page.keyboard.press('Control+Enter')
  await page.getByTestId('plan-counts').getByText('2', { exact: true }).waitFor(patience)
  // Space takes the first row out of the plan.
  await page.getByRole('grid', { name: 'Rows of the plan' }).focus()
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('Space')
  await page.locator('dialog[open] [role=checkbox][aria-checked=false]').waitFor(patience)
  await page.keyboard.press('Control+Enter')
  await page.getByTestId('plan-report').waitFor(patience)
  await page.keyboard.press('Escape')
  await expect
    .poll(() => stateOf(page, prefix), patience)
    .toEqual({
      '/keyboard/a/2': 'value of /keyboard/a/2',
      '/keyboard/a/3': 'value of /keyboard/a/3',
    })
  // What ran stands in the list of runs; its undo is one key away.
  await page.keyboard.press('Control+Alt+z')
  const runs = page.getByRole('dialog', { name: /^What this app wrote to/ })
  const undo = runs.getByRole('button', { name: 'Undo', exact: true }).first()
  await undo.waitFor(patience)
  await expectNoViolations(page)
  await reach(page, undo)
  await page.keyboard.press('Enter')
  await expect
    .poll(() => stateOf(page, prefix), patience)
    .toEqual({ '/keyboard/a/3': 'value of /keyboard/a/3' })
  // The whole prefix as it was before the deletions, and that taken back too.
  const hand = keyboardOf(app)
  await hand.press(page.getByRole('button', { name: 'Restore prefix to a revision…' }))
  await hand.fill(page.getByTestId('restore-revision'), String(written))
  await page.keyboard.press('Enter')
  await page.getByTestId('plan-run').waitFor(patience)
  await expect.poll(() => page.getByTestId('plan-counts').innerText(), patience).toContain('3')
  await page.keyboard.press('Control+Enter')
  await page.getByTestId('plan-report').waitFor(patience)
  await expect
    .poll(() => stateOf(page, prefix), patience)
    .toEqual({
      '/keyboard/a/1': 'value of /keyboard/a/1',
      '/keyboard/a/2': 'value of /keyboard/a/2',
      '/keyboard/a/3': 'value of /keyboard/a/3',
      '/keyboard/b': 'value of /keyboard/b',
    })
  await hand.press(page.getByTestId('plan-undo'))
  await expect
    .poll(() => stateOf(page, prefix), patience)
    .toEqual({ '/keyboard/a/3': 'value of /keyboard/a/3' })
  await page.locator('dialog[open]').waitFor({ state: 'detached', ...patience })
  // A key that is made anew leaves the bin by itself.
  await page.keyboard.press('Control+f')
  await page.keyboard.press('Escape')
  await expectBin(page, '3 deleted')
  await transact(page, [{ key: `${prefix}b`, value: 'again' }])
  await expectBin(page, '2 deleted')
}

/** The same cluster once more, as production: what a put by its connection comes to. */
async function openProduction(page: Page): Promise<() => Promise<string>> {
  const id = await page.evaluate(async () => {
    const list = await window.bridge.connections.list()
    if (!list.ok) throw new Error(list.error.message)
    const opened = await window.bridge.connections.open({
      endpoints: list.value.flatMap(({ endpoints }) => endpoints.map(({ url }) => url)).slice(0, 1),
      name: 'shop',
      environment: 'production',
      isSaved: false,
    })
    if (!opened.ok) throw new Error(opened.error.message)
    return opened.value.id
  })
  return () =>
    page.evaluate(async (connectionId) => {
      const [key, value] = ['/tried', ''].map((text) => new TextEncoder().encode(text))
      if (key === undefined || value === undefined) throw new Error('no bytes')
      const reply = await window.bridge.kv.put({ connectionId, key, value })
      return reply.ok ? reply.value.kind : reply.error.code
    }, id)
}

async function walkProduction(page: Page): Promise<void> {
  const tryPut = await openProduction(page)
  expect(await tryPut()).toBe('readOnly')
  const key = '/production/flag'
  await transact(page, [{ key, value: 'old' }])
  await page
    .getByRole('navigation', { name: 'Views' })
    .getByRole('button', { name: 'Connections', exact: true })
    .click()
  const item = page.getByRole('group', { name: 'shop', exact: true })
  await item.getByRole('button', { name: 'Browse keys', exact: true }).click()
  await page.getByTestId('status-unlock').waitFor(patience)
  await page.getByTestId('prefix').fill('/production/')
  await page.getByTestId('prefix').press('Enter')
  await page.getByRole('row', { name: 'flag' }).click(patience)
  await page.getByTestId('fact-version').waitFor(patience)
  await transact(page, [{ key }])
  await page.getByTestId('tombstone').waitFor(patience)
  await expect.poll(() => page.getByTestId('restore-last').count(), patience).toBe(0)

  // Only who types the name may write, and no longer than the time that is shown.
  await page.keyboard.press('Control+Alt+u')
  const unlock = page.getByRole('alertdialog', { name: 'Allow writing on shop' })
  await unlock.getByTestId('unlock-name').fill('shop2')
  await expectNoViolations(page)
  await page.keyboard.press('Enter')
  expect(await tryPut()).toBe('readOnly')
  await unlock.getByTestId('unlock-name').fill('shop')
  await page.keyboard.press('Enter')
  await page
    .getByTestId('status-lock')
    .getByTestId('writable-left')
    .getByText(/^14:/)
    .waitFor(patience)
  expect(await tryPut()).toBe('written')

  // A restore is one key, and yet it asks in production; whoever does not agree has written nothing.
  const restore = page.getByRole('alertdialog', { name: `Restore ${key}` })
  await page.getByTestId('restore-last').click(patience)
  await expect
    .poll(() => restore.locator('.env-production').innerText(), patience)
    .toMatch(/production/i)
  await restore.getByRole('button', { name: 'Cancel', exact: true }).press('Enter')
  await restore.waitFor({ state: 'detached', ...patience })
  expect(await stateOf(page, '/production/')).toEqual({})
  await page.getByTestId('restore-last').click(patience)
  await restore.getByRole('button', { name: 'Restore', exact: true }).click(patience)
  await expect.poll(() => stateOf(page, '/production/'), patience).toEqual({ [key]: 'old' })

  await page.getByTestId('status-lock').click()
  await page.getByTestId('status-unlock').waitFor(patience)
  expect(await tryPut()).toBe('readOnly')
}

async function walk(flags: readonly string[]): Promise<void> {
  launched = await launchApp({ flags })
  const { page } = launched
  await page.getByText('Connected', { exact: true }).first().waitFor({ timeout: 60_000 })
  await page.getByTestId('prefix').waitFor({ timeout: 60_000 })
  await walkByMouse(page)
  await walkByKeyboard(launched)
  await walkProduction(page)
}

test('deleted keys come back, a prefix is restored, and both are undone: on our own node', async () => {
  await walk(['--playground=1'])
})

test.runIf(isRealEtcdInstalled())('the same on a real etcd', async () => {
  cluster = await RealEtcdCluster.start(1)
  const [member] = cluster.members
  await walk([`--connect=${member?.clientUrl ?? ''}`])
})
