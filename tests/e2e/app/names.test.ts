/** Keys whose names are markup, controls, other directions or no text at all: shown as text by every screen, and never run. */

import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Locator, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { isRealEtcdInstalled } from '../../helpers/real-etcd.ts'
import { RpcClient } from '../../helpers/rpc-client.ts'
import { ServerPair } from '../../helpers/server-pair.ts'
import { closeDisplay, launchApp, type LaunchedApp } from './launch.ts'
import { findViolations, patience } from './page-acts.ts'

const timeoutMs = 180_000

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const withBytes = (left: Uint8Array, right: readonly number[]): Uint8Array =>
  Uint8Array.from([...left, ...right])

/** Keys in the order of their bytes, each as every screen has to write its name. */
const names = [
  { key: bytes('/n/<b data-evil>dir/x'), shown: '<b data-evil>dir/x' },
  {
    key: bytes('/n/<img src=x data-evil onerror="document.title=`run`">'),
    shown: '<img src=x data-evil onerror="document.title=`run`">',
  },
  { key: bytes(`/n/${'L'.repeat(1021)}`), shown: 'L'.repeat(1021) },
  { key: bytes('/n/a\u0007b\nc'), shown: String.raw`a\x07b\x0ac` },
  { key: bytes('/n/b\u202egnp.exe\u061c'), shown: String.raw`b\u202egnp.exe\u061c` },
  { key: withBytes(bytes('/n/c'), [0xff, 0xfe, 0x00]), shown: String.raw`c\xff\xfe\x00` },
  { key: withBytes(bytes('/n/d'), [0xff, 0xfe]), shown: String.raw`d\xff\xfe` },
  {
    key: bytes(String.raw`/n/e'f"g$(touch run)${'`'}touch run${'`'}\x41 {0} @:x`),
    shown: String.raw`e'f"g$(touch run)${'`'}touch run${'`'}\\x41 {0} @:x`,
  },
] as const
const [, image, , , , withZero] = names
const gone = { key: bytes('/n/<i data-evil>gone'), shown: '<i data-evil>gone' }
const value = bytes('<script data-evil>1</script>')

let launched: LaunchedApp | undefined
let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'quorate-names-'))
})
afterEach(async () => {
  const app = launched
  launched = undefined
  await app?.close()
  expect(app?.pageErrors ?? []).toEqual([])
})
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
  closeDisplay()
})

const view = (page: Page, name: string): Promise<void> =>
  page.getByRole('navigation', { name: 'Views' }).getByRole('button', { name, exact: true }).click()

const row = (page: Page, place: number): Locator =>
  page.getByRole('grid', { name: 'Keys' }).locator(`[aria-rowindex="${String(place + 1)}"]`)

/** No name has become an element. */
async function expectNoElements(page: Page, place: string): Promise<void> {
  expect([place, await page.locator('[data-evil]').count()]).toEqual([place, 0])
}

async function expectText(locator: Locator, text: string): Promise<void> {
  await expect
    .poll(
      async () => (await locator.innerText()).replaceAll('\u00a0', ' ').replaceAll('\n', ''),
      patience,
    )
    .toContain(text)
}

const palette = (page: Page): Locator =>
  page.getByRole('combobox', { name: 'Command palette', exact: true })

/** Runs a command by its words in the palette. */
async function runCommand(page: Page, words: string): Promise<void> {
  await page.keyboard.press('Control+k')
  await palette(page).fill(`>${words}`)
  await expectText(page.locator('#palette-0'), words)
  await page.keyboard.press('Enter')
}

/** Both before and after: everything is written while a watch looks. */
async function writeWatched(page: Page, rpc: RpcClient): Promise<void> {
  await page.getByText('Connected', { exact: true }).first().waitFor(patience)
  await view(page, 'Watch')
  await page.getByRole('button', { name: 'New watch' }).first().click()
  await page.getByRole('textbox', { name: 'Key or prefix' }).fill('/n/')
  await page.getByRole('dialog').getByRole('button', { name: 'Watch', exact: true }).click()
  await expect
    .poll(() => page.getByTestId('watch-complete').innerText(), patience)
    .toMatch(/^r\d+$/u)
  for (const { key } of [gone, ...names]) await rpc.must('put', { key, value })
  await rpc.must('put', { key: withZero.key, value: Uint8Array.of(0xff, 0x00, 0xfe) })
  await rpc.must('deleteRange', { key: gone.key })
  await expect.poll(() => page.getByTestId('watch-event').count(), patience).toBe(11)
  const list = page.getByTestId('watch-list')
  for (const { shown } of [gone, ...names]) await expectText(list, shown)
  await expectNoElements(page, 'watch')
}

/** List, tree, head of the opened key, inspector, history; and the value, which is no better than the name. */
async function browse(page: Page): Promise<void> {
  await view(page, 'Keys')
  const prefix = page.getByTestId('prefix')
  await prefix.fill('/n/')
  await prefix.press('Enter')
  for (const [place, { shown }] of names.entries()) {
    await expectText(row(page, place).locator('.name'), shown)
  }
  await expectNoElements(page, 'list')
  const tree = page.getByRole('tree').first()
  await expectText(tree, '/n')
  await tree.focus()
  await page.keyboard.press('Home')
  await page.keyboard.press('ArrowRight')
  for (const { shown } of names) await expectText(tree, shown.replace('/x', ''))
  await expectNoElements(page, 'tree')
  for (const [place, { shown }] of names.entries()) {
    await row(page, place).click()
    await expectText(page.getByTestId('detail-key'), shown)
    await expectText(
      page.getByRole('complementary', { name: 'Inspector' }),
      shown.split('/').at(-1) ?? '',
    )
    const isTwice = names[place] === withZero
    const versions = isTwice ? '2 readable versions' : '1 readable version'
    await expectText(page.getByTestId('history-summary'), versions)
    if (isTwice) await expectText(page.getByTestId('hex-view'), 'ff 00 fe')
    else await expectText(page.locator('.monaco-editor .view-lines').first(), '<script data-evil>')
    await expectNoElements(page, shown)
  }
}

/** The places that name a prefix: field, tab, breadcrumb, palette. */
async function standIn(page: Page): Promise<void> {
  const prefix = page.getByTestId('prefix')
  await prefix.fill('/n/<b data-evil>dir/')
  await prefix.press('Enter')
  await expectText(row(page, 0), 'x')
  await expectText(page.getByRole('tab', { selected: true }).first(), '<b data-evil>dir/')
  await expectText(page.getByRole('navigation', { name: 'Breadcrumb' }), '<b data-evil>dir')
  await expectText(page.getByRole('tree').first(), '<b data-evil>dir')
  await page.keyboard.press('Control+k')
  await palette(page).fill('/n/<')
  await expectText(page.locator('#palette-list'), names[0].shown)
  await expectNoElements(page, 'palette')
  await page.keyboard.press('Escape')
  await palette(page).waitFor({ state: 'detached', ...patience })
  await prefix.fill('/n/')
  await prefix.press('Enter')
  await expectText(row(page, 1), '<img')
}

/** A copied line is run by bash, and names the very key. */
async function copyCommands({ app, page }: LaunchedApp): Promise<void> {
  const grid = page.getByRole('grid', { name: 'Keys' })
  await row(page, 0).click()
  await grid.focus()
  for (const [place, { key, shown }] of names.entries()) {
    if (place > 0) await page.keyboard.press('ArrowDown')
    await expectText(page.getByTestId('detail-key'), shown)
    await app.evaluate(({ clipboard }) => {
      clipboard.clear()
    })
    await page.keyboard.press('Control+Shift+C')
    if (names[place] === withZero) {
      await page
        .locator('.toasts')
        .getByText('A zero byte fits into no command line')
        .waitFor(patience)
      continue
    }
    const copied = (): Promise<string> => app.evaluate(({ clipboard }) => clipboard.readText())
    await expect.poll(copied, patience).toContain('etcdctl')
    const answer = await runInBash(`${await copied()} -w json`)
    expect([shown, answer]).toEqual([shown, [Buffer.from(key).toString('base64')]])
  }
  expect(readdirSync(folder)).not.toContain('run')
}

/** The keys that a line prints, in base64. */
async function runInBash(line: string): Promise<readonly string[]> {
  const { stdout } = await promisify(execFile)('bash', ['-c', line], {
    cwd: folder,
    env: { PATH: process.env['PATH'] ?? '', ETCDCTL_API: '3' },
  })
  const answer: unknown = JSON.parse(stdout)
  return (answer as { kvs: readonly { key: string }[] }).kvs.map(({ key }) => key)
}

/** Deletes one of them, and takes that back: dialog and toasts name it. */
async function removeAndUndo(page: Page): Promise<void> {
  await row(page, 1).click()
  await expectText(page.getByTestId('detail-key'), image.shown)
  await page
    .getByRole('region', { name: 'Key', exact: true })
    .getByRole('button', { name: 'Delete…' })
    .click()
  const dialog = page.locator('dialog[open]')
  await expectText(dialog, `/n/${image.shown}`)
  await expectNoElements(page, 'delete')
  await dialog.getByRole('button', { name: 'Delete key' }).click()
  const toasts = page.locator('.toasts')
  await expectText(toasts, `/n/${image.shown}`)
  await expectNoElements(page, 'toast')
  await toasts.getByRole('button', { name: 'Undo', exact: true }).click()
  await expectText(row(page, 1), image.shown)
}

/** What is exported reads back to the very bytes. */
async function exportAndImport({ app, page }: LaunchedApp): Promise<void> {
  const path = join(folder, `${String(Date.now())}.json`)
  await app.evaluate(({ dialog }, filePath) => {
    dialog.showSaveDialog = () => Promise.resolve({ canceled: false, filePath })
  }, path)
  await runCommand(page, 'Keys: Export')
  const dialog = page.getByTestId('export')
  await expectText(dialog.getByTestId('export-preview'), 'data-evil')
  await expectNoElements(page, 'export')
  await dialog.getByRole('button', { name: 'Export to file…' }).click()
  await dialog.waitFor({ state: 'detached', ...patience })
  const file = readFileSync(path, 'utf8')
  expect(JSON.stringify(JSON.parse(file))).toContain('data-evil')

  await runCommand(page, 'Keys: Import')
  const importing = page.getByTestId('import')
  await importing.getByRole('textbox', { name: 'Text to import' }).fill(file)
  await expectText(importing.getByTestId('import-count'), String(names.length))
  for (const { shown } of names.slice(0, 6))
    await expectText(importing.locator('table'), `/n/${shown}`)
  await expectNoElements(page, 'import')
  await page.keyboard.press('Escape')
  await importing.waitFor({ state: 'detached', ...patience })
}

async function restoreDeleted(page: Page): Promise<void> {
  await view(page, 'Deleted keys')
  await page.getByTestId('bin-prefix').fill('/n/')
  await page.getByTestId('bin-prefix').press('Enter')
  const first = page.getByRole('grid', { name: 'Deleted keys' }).locator('[aria-rowindex="1"]')
  await expectText(first, gone.shown)
  await first.click()
  await expectText(page.getByTestId('bin-detail'), '<script data-evil>')
  await page.getByTestId('bin-restore-one').click()
  await expectText(page.getByRole('grid', { name: 'Rows of the plan' }), `/n/${gone.shown}`)
  await expectNoElements(page, 'plan')
  await page.getByTestId('plan-run').click()
  await page.getByTestId('plan-report').waitFor(patience)
  await page.locator('dialog[open]').getByRole('button', { name: 'Close', exact: true }).click()
  await page.getByRole('button', { name: 'Undo', exact: true }).waitFor(patience)
  await expectNoElements(page, 'toast')
}

async function ask(page: Page): Promise<void> {
  await view(page, 'Queries')
  await page.getByTestId('query-run-button').waitFor(patience)
  await page.keyboard.press('Control+Shift+M')
  await page.getByRole('textbox', { name: 'Prefix' }).fill('/n/')
  await page.keyboard.press('Control+Enter')
  const answer = page.locator('[data-answer=linearizable]')
  // A name that has no room loses its beginning.
  for (const { shown } of names) await expectText(answer, shown.slice(-24))
  await expectNoElements(page, 'query')
}

/** What changed since a revision stands beside the past that is read. */
async function travel(page: Page): Promise<void> {
  await view(page, 'Keys')
  await expectText(row(page, 0), names[0].shown)
  await page.keyboard.press('Control+g')
  await page.getByTestId('revision-field').fill('2')
  await page.getByTestId('revision-field').press('Enter')
  await expectText(page.getByTestId('travel-banner'), 'Reading r2,')
  await page.getByRole('button', { name: 'What changed since' }).click()
  const changes = page.getByTestId('travel-changes')
  for (const { shown } of names) await expectText(changes, shown.slice(0, 16))
  await expectNoElements(page, 'time travel')
  await page.keyboard.press('Control+Shift+G')
  await page.getByTestId('travel-banner').waitFor({ state: 'detached', ...patience })
}

async function compare(page: Page): Promise<void> {
  await page.keyboard.press('Control+Shift+D')
  await page.getByTestId('compare-start').waitFor(patience)
  await page.getByLabel('Prefix on the left').fill('/n/')
  await page.getByLabel('Prefix on the right').fill('/n/')
  await page.getByLabel('Revision on the left').fill('1')
  await page.getByTestId('compare-start').click()
  const found = page.getByTestId('differences')
  await found
    .getByRole('treeitem', { name: `/n/${image.shown}, added`, exact: true })
    .click(patience)
  await expectText(page.getByTestId('open-key'), `/n/${image.shown}`)
  await expectNoElements(page, 'compare')
}

describe.runIf(isRealEtcdInstalled())('keys with any name', () => {
  let pair: ServerPair
  beforeAll(async () => {
    pair = await ServerPair.start()
  }, timeoutMs)
  afterAll(() => pair.dispose())

  test.each(['etcd', 'quorate'] as const)(
    'on %s are shown as text by every screen',
    async (kind) => {
      const rpc = new RpcClient(pair[kind].clientUrl)
      launched = await launchApp({ flags: [`--connect=${pair[kind].clientUrl}`] })
      const { page } = launched
      page.setDefaultTimeout(patience.timeout)
      // The screens are the same on both.
      const looksClosely = kind === 'quorate'
      await writeWatched(page, rpc)
      await browse(page)
      if (looksClosely) expect(await findViolations(page), 'keys').toEqual([])
      await standIn(page)
      await copyCommands(launched)
      await removeAndUndo(page)
      await exportAndImport(launched)
      await restoreDeleted(page)
      await ask(page)
      await travel(page)
      await compare(page)
      if (looksClosely) expect(await findViolations(page), 'comparison').toEqual([])
      expect(await page.title()).toBe('Quorate')
      rpc.close()
    },
    timeoutMs,
  )
})
