/** What the tests of the window do with its page, whatever their part. */

import { AxeBuilder } from '@axe-core/playwright'
import type { Locator, Page } from 'playwright-core'
import { expect } from 'vitest'
import type { LaunchedApp, PageWindow } from './launch.ts'

declare const window: PageWindow

/** For a machine three times slower than the one that this was written on. */
export const patience = { timeout: 30_000 }

/** Waits until every colour has arrived: one on its way from one theme to the other has no contrast to be judged. */
async function settleColours(page: Page): Promise<void> {
  await page.evaluate(
    `Promise.all(
      document
        .getAnimations()
        .filter((one) => one instanceof CSSTransition)
        .map((one) => one.finished.catch(() => undefined)),
    )`,
  )
}

/** What is looked at by {@link violationsNow}. */
interface AccessScope {
  /** Part of the screen by its selector; the whole of it without. */
  readonly part?: string
  /** Rules of axe; all of them without. */
  readonly rules?: readonly string[]
}

/**
 * What axe finds in the theme that is shown, each with its place. The editor is somebody else's. Details of what is in
 * order are not asked for: to gather them took most of the time.
 */
export async function violationsNow(page: Page, scope: AccessScope = {}): Promise<string[]> {
  const builder = new AxeBuilder({ page })
    .options({ resultTypes: ['violations'] })
    .setLegacyMode()
    .include(scope.part ?? 'body')
    .exclude('.monaco-editor')
    .exclude('.monaco-diff-editor')
  if (scope.rules !== undefined) builder.withRules([...scope.rules])
  const { violations } = await builder.analyze()
  return violations.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.target.join(' ')}`),
  )
}

/** Shows a theme, and waits until every colour is its own. */
export async function showTheme(page: Page, theme: 'dark' | 'light'): Promise<void> {
  await page.evaluate((wanted) => window.bridge.settings.update({ theme: wanted }), theme)
  await page.locator(`html[data-theme=${theme}]`).waitFor({ state: 'attached', ...patience })
  await settleColours(page)
}

/** What differs between two themes, in axe's terms. */
const rulesOfColours = ['color-contrast'] as const

/** What axe finds in both themes, on the whole screen or in a part of it, each with its place. */
export async function findViolations(page: Page, part = 'body'): Promise<readonly string[]> {
  await showTheme(page, 'dark')
  const dark = await violationsNow(page, { part })
  await showTheme(page, 'light')
  const light = await violationsNow(page, { part, rules: rulesOfColours })
  return [...dark.map((one) => `dark: ${one}`), ...light.map((one) => `light: ${one}`)]
}

/** The view of the bar at the left. */
export async function showView(page: Page, name: string): Promise<void> {
  await page
    .getByRole('navigation', { name: 'Views' })
    .getByRole('button', { name, exact: true })
    .click()
}

/** The list of keys that is shown. */
export const keyList = (page: Page): Locator =>
  page.getByRole('grid', { name: 'Keys', exact: true })

/** The row of a key, by the whole of its name as it is shown. */
export function keyRow(page: Page, key: string): Locator {
  return keyList(page)
    .getByRole('row')
    .filter({ has: page.getByTitle(key, { exact: true }) })
}

/** Waits until a key is the opened one. */
export async function expectOpened(page: Page, key: string): Promise<void> {
  await expect.poll(() => page.getByTestId('detail-key').allTextContents(), patience).toEqual([key])
}

/** Text of the value's editor: its lines as they stand on the screen. */
export async function valueText(page: Page): Promise<string> {
  const lines = page.getByTestId('value-editor').locator('.view-lines')
  const [text] = await lines.allInnerTexts()
  return (text ?? '').replaceAll('\u00a0', ' ')
}

/** What lies on the system's clipboard. */
export function clipboardText({ app }: LaunchedApp): Promise<string> {
  return app.evaluate(({ clipboard }) => clipboard.readText())
}

/** Puts a text on the clipboard, as another program would. */
export async function setClipboard({ app }: LaunchedApp, text: string): Promise<void> {
  await app.evaluate(({ clipboard }, written) => clipboard.writeText(written), text)
}

/** The system's dialogs for files answer with this path from now on. */
export async function answerFileDialogs({ app }: LaunchedApp, path: string): Promise<void> {
  await app.evaluate(({ dialog }, chosen) => {
    dialog.showSaveDialog = () => Promise.resolve({ canceled: false, filePath: chosen })
    dialog.showOpenDialog = () => Promise.resolve({ canceled: false, filePaths: [chosen] })
  }, path)
}

/** Runs a command by its name in the palette. */
export async function runCommand(page: Page, title: string): Promise<void> {
  await page.keyboard.press('Control+k')
  const palette = page.getByRole('dialog', { name: 'Command palette' })
  await palette.waitFor(patience)
  await page.keyboard.insertText(`>${title}`)
  const option = palette.getByRole('option', { selected: true })
  await expect.poll(() => option.locator('.cut').allInnerTexts(), patience).toEqual([title])
  await page.keyboard.press('Enter')
  await palette.waitFor({ state: 'detached', ...patience })
}

/**
 * Addresses of the cluster that the window is connected to, once it is. The asking goes on in here: Playwright's
 * `waitForFunction` takes the promise of an asynchronous function for its yes, and is content with the first answer.
 */
export function endpointsOf(page: Page): Promise<readonly string[]> {
  return page.evaluate(async (timeoutMs) => {
    for (const endMs = performance.now() + timeoutMs; performance.now() < endMs;) {
      const listed = await window.bridge.connections.list()
      const ready = listed.ok ? listed.value.find(({ state }) => state === 'ready') : undefined
      if (ready !== undefined && ready.endpoints.length > 0) {
        return ready.endpoints.map(({ url }) => url)
      }
      await new Promise((done) => setTimeout(done, 50))
    }
    throw new Error('the window did not connect')
  }, patience.timeout)
}
