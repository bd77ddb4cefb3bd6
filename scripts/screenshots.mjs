/**
 * Makes the pictures of the guide anew: `node scripts/screenshots.mjs [part ...]`. Starts the built app with a local
 * cluster of three nodes, fills it with the data of `screenshots-data.mjs`, and calls `take(context)` of each part in
 * `scripts/screenshots/`. Pictures go to `docs/images/<name>-<theme>-<width>.png`.
 *
 * What a part gets:
 * - `page`, `app`: Playwright's page and application
 * - `connectionId`: the filled cluster
 * - `shot(name, options)`: the window as it is, in light and dark, 1280x800 and 1920x1080; `options` may narrow
 *   `themes` and `widths`, and name in `settle(page)` what is to be waited for after each change of size or theme
 * - `openPrefix(prefix, options)`: the key browser under a prefix; `isEmpty`: no list of rows is waited for
 * - `openCluster({ url, name, environment, login })`: the key browser of another cluster, which then is the one that
 *   `openPrefix` means; answers what takes it away again
 * - `write(operations)`: one more transaction; answers its revision
 * - `headRevision()`: the newest revision of the cluster
 */

/* global document, window -- inside of functions that run in the page */

import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { _electron } from 'playwright-core'
import utilities from 'playwright-core/lib/utilsBundle'
import { findElectronRuntime, rootDirectory } from './electron-runtime.mjs'
import { pictureData } from './screenshots-data.mjs'
import { hasDisplay, isRoot } from './system-libraries.mjs'

const sizes = new Map([
  [1280, { width: 1280, height: 800 }],
  [1920, { width: 1920, height: 1080 }],
])
const partsDirectory = join(rootDirectory, 'scripts', 'screenshots')
const imagesDirectory = join(rootDirectory, 'docs', 'images')
/** Long enough for a fade, for previews of the rows in sight, and for an editor to lay itself out. */
const restMs = 700
const startTimeoutMs = 60_000

if (hasDisplay()) await main(process.argv.slice(2))
else process.exitCode = onVirtualDisplay()

function onVirtualDisplay() {
  const screen = '-screen 0 2560x1440x24'
  const own = [process.execPath, fileURLToPath(import.meta.url), ...process.argv.slice(2)]
  const { status } = spawnSync('xvfb-run', ['-a', '-s', screen, ...own], { stdio: 'inherit' })
  return status ?? 1
}

async function main(wanted) {
  mkdirSync(imagesDirectory, { recursive: true })
  const userDataDirectory = mkdtempSync(join(tmpdir(), 'quorate-pictures-'))
  const runtime = await findElectronRuntime()
  const app = await _electron.launch({
    executablePath: runtime.executablePath,
    args: [
      ...(isRoot() ? ['--no-sandbox'] : []),
      rootDirectory,
      `--user-data-dir=${userDataDirectory}`,
      '--playground=3',
    ],
  })
  try {
    const context = await contextOf(app)
    await fill(context)
    for (const file of readdirSync(partsDirectory).sort()) {
      const name = basename(file, '.mjs')
      if (!file.endsWith('.mjs') || (wanted.length > 0 && !wanted.includes(name))) continue
      process.stderr.write(`${name}\n`)
      await restart(context)
      const part = await import(pathToFileURL(join(partsDirectory, file)).href)
      await part.take(context)
    }
  } finally {
    await app.close()
    rmSync(userDataDirectory, { recursive: true, force: true })
  }
}

async function contextOf(app) {
  const page = await app.firstWindow()
  await page.getByText('Connected', { exact: true }).first().waitFor({ timeout: startTimeoutMs })
  const connectionId = await page.evaluate(async () => {
    const info = await window.bridge.app.info()
    return info.value.initialConnectionId
  })
  const context = { app, page, connectionId }
  return {
    ...context,
    shot: (name, options) => shot(context, name, options),
    openPrefix: (prefix, options) => openPrefix(page, prefix, options),
    openCluster: (cluster) => openCluster(page, cluster),
    write: (operations) => write(context, operations),
    headRevision: () => headRevision(context),
  }
}

async function fill(context) {
  for (const operations of pictureData()) await write(context, operations)
}

/** The window as after a start, with the pictures' size. */
async function restart(context) {
  await resize(context, 1280)
  await context.page.reload()
  const connected = context.page.getByText('Connected', { exact: true }).first()
  await connected.waitFor({ timeout: startTimeoutMs })
  await closeTabs(context.page)
}

/** The tabs of earlier parts, with what they read of the past, would stand in the pictures of this one. */
async function closeTabs(page) {
  const tabs = page.getByRole('tablist', { name: 'Tabs' }).getByRole('tab')
  await tabs.first().waitFor()
  for (let count = await tabs.count(); count > 1; count = await tabs.count()) {
    await page.keyboard.press('Control+w')
    await page.waitForFunction(
      (before) =>
        document.querySelectorAll('[role=tablist][aria-label=Tabs] [role=tab]').length < before,
      count,
    )
  }
}

async function write({ page, connectionId }, thenOperations) {
  const reply = await page.evaluate((request) => window.bridge.kv.txn(request), {
    connectionId,
    compares: [],
    thenOperations,
    elseOperations: [],
  })
  if (!reply.ok) throw new Error(`the data could not be written: ${reply.error.message}`)
  return reply.value.revision
}

async function headRevision({ page, connectionId }) {
  const request = { connectionId, range: { kind: 'all' }, revision: 0 }
  const reply = await page.evaluate((wanted) => window.bridge.kv.count(wanted), request)
  return reply.value.headRevision
}

async function openPrefix(page, prefix, { isEmpty = false } = {}) {
  await page
    .getByRole('navigation', { name: 'Views' })
    .getByRole('button', { name: 'Keys', exact: true })
    .click()
  const field = page.getByTestId('prefix')
  await field.fill(prefix)
  await field.press('Enter')
  if (!isEmpty) await page.getByRole('grid').or(page.getByRole('listbox')).first().waitFor()
}

async function openCluster(page, { url, ...rest }) {
  const request = { endpoints: [url], isSaved: true, ...rest }
  const id = await page.evaluate(async (wanted) => {
    const opened = await window.bridge.connections.open(wanted)
    if (!opened.ok) throw new Error(opened.error.message)
    return opened.value.id
  }, request)
  await page.keyboard.press('Control+Shift+n')
  const item = page.getByTestId('connection-item').filter({ hasText: url })
  await item.getByRole('button', { name: 'Browse keys' }).click()
  await page.getByTestId('prefix').waitFor()
  return () => page.evaluate((one) => window.bridge.connections.remove({ connectionId: one }), id)
}

async function resize({ app }, width) {
  const size = sizes.get(width)
  if (size === undefined) throw new Error(`no picture is ${String(width)} pixels wide`)
  await app.evaluate(({ BrowserWindow }, { width: across, height: down }) => {
    BrowserWindow.getAllWindows()[0]?.setContentSize(across, down)
  }, size)
}

/** A quarter smaller: no transparency, and no filter of lines, which flat colours are better off without. */
function smaller(picture) {
  const { PNG } = utilities
  const choice = { colorType: 2, filterType: 0, deflateLevel: 9, deflateStrategy: 0 }
  return PNG.sync.write(PNG.sync.read(picture), choice)
}

async function shot(context, name, options = {}) {
  const { themes = ['light', 'dark'], widths = [...sizes.keys()], settle } = options
  const { page } = context
  for (const width of widths) {
    await resize(context, width)
    await page.waitForFunction((across) => window.innerWidth === across, width)
    for (const theme of themes) {
      await page.evaluate((chosen) => window.bridge.settings.update({ theme: chosen }), theme)
      await page.waitForFunction(
        (chosen) => document.documentElement.dataset['theme'] === chosen,
        theme,
      )
      await settle?.(page)
      await page.mouse.move(2, 2)
      await page.waitForTimeout(restMs)
      const path = join(imagesDirectory, `${name}-${theme}-${String(width)}.png`)
      writeFileSync(path, smaller(await page.screenshot({ animations: 'disabled' })))
    }
  }
}
