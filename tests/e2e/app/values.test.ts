/** Values in the real app: what they are recognised as, how they are shown, edited as text and as bytes, and files. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { ElectronApplication, Locator, Page } from 'playwright-core'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isRealEtcdInstalled, RealEtcdCluster } from '../../helpers/real-etcd.ts'
import { keyboardOf } from './hands.ts'
import { closeDisplay, launchApp, type LaunchedApp, type PageWindow } from './launch.ts'
import { showTheme, violationsNow } from './page-acts.ts'

declare const window: PageWindow

let launched: LaunchedApp | undefined
let cluster: RealEtcdCluster | undefined
let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'quorate-values-'))
})
afterEach(async () => {
  const app = launched
  launched = undefined
  await app?.close()
  cluster?.stop()
  cluster = undefined
  rmSync(directory, { recursive: true, force: true })
  expect(app?.pageErrors ?? []).toEqual([])
})
afterAll(closeDisplay)

const png =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const token = `${part({ alg: 'HS256' })}.${part({ sub: 'ann', exp: 1_767_225_600 })}.c2ln`
/** A config map `web` with one entry, as an API server stores it. */
const stored =
  '6b3873000a0f0a0276311209436f6e6669674d617012130a050a03776562120a0a04636f6e661202783d1a002200'

const values: Readonly<Record<string, Uint8Array>> = {
  '/v/a-json': Buffer.from('{"id":12345678901234567890,"on":true}'),
  '/v/b-packed': Buffer.from(gzipSync('{"deep":1}').toString('base64')),
  '/v/c-token': Buffer.from(token),
  '/v/d-image': Buffer.from(png, 'base64'),
  '/v/e-bytes': Buffer.from('00ff10414243', 'hex'),
  '/v/f-object': Buffer.from(stored, 'hex'),
  '/v/g-markup': Buffer.from('<img src=x onerror="window.broken=1">\u202e\u0007 end'),
  '/v/h-setting': Buffer.from('[c]\nd = "two"\ne = "three\n'),
}

async function fill(page: Page): Promise<void> {
  await page.getByTestId('prefix').waitFor({ timeout: 60_000 })
  const pairs = Object.entries(values).map(([key, value]) => [key, [...value]] as const)
  const put = (): Promise<boolean> =>
    page.evaluate(async (all) => {
      const listed = await window.bridge.connections.list()
      if (!listed.ok) return false
      const connectionId = listed.value.find((one) => one.state === 'ready')?.id
      if (connectionId === undefined) return false
      for (const [key, value] of all) {
        const reply = await window.bridge.kv.put({
          connectionId,
          key: new TextEncoder().encode(key),
          value: Uint8Array.from(value),
        })
        if (!reply.ok) return false
      }
      return true
    }, pairs)
  // Right after the start nobody may lead yet.
  await expect.poll(put, { timeout: 60_000 }).toBe(true)
  await page.getByTestId('prefix').fill('/v/')
  await page.getByTestId('prefix').press('Enter')
}

const rowOf = (page: Page, name: string): Locator =>
  page
    .getByRole('row')
    .filter({ has: page.getByText(name, { exact: true }) })
    .first()

async function openByMouse(page: Page, name: string): Promise<void> {
  await rowOf(page, name).click()
  await expect.poll(() => page.getByTestId('detail-key').textContent()).toBe(`/v/${name}`)
}

async function editorText(page: Page): Promise<string> {
  const lines = page.locator('.monaco-editor .view-lines').first()
  await lines.waitFor()
  return (await lines.innerText()).replaceAll('\u00a0', ' ')
}

const view = (page: Page, name: string): Locator =>
  page
    .getByRole('radiogroup', { name: 'Show the value as' })
    .getByRole('radio', { name, exact: true })
const facts = (page: Page): Locator => page.getByTestId('value-facts')
const hexRow = (page: Page, row: number): Locator =>
  page.getByTestId('hex-view').locator(`[aria-rowindex="${String(row)}"]`)

/** The dialogs of the system answer with a path of the test. */
async function answerDialogs(app: ElectronApplication, path: string): Promise<void> {
  await app.evaluate(({ dialog }, chosen) => {
    dialog.showSaveDialog = () => Promise.resolve({ canceled: false, filePath: chosen })
    dialog.showOpenDialog = () => Promise.resolve({ canceled: false, filePaths: [chosen] })
  }, path)
}

/** Every kind of value, by the mouse. */
async function lookAtAll(page: Page): Promise<void> {
  await openByMouse(page, 'a-json')
  await expect.poll(() => editorText(page)).toContain('"id": 12345678901234567890')
  await view(page, 'YAML').click()
  await expect.poll(() => editorText(page)).toContain('id: 12345678901234567890')
  await view(page, 'Text').click()
  await expect.poll(() => editorText(page)).toBe('{"id":12345678901234567890,"on":true}')

  await openByMouse(page, 'b-packed')
  await expect.poll(() => editorText(page)).toContain('"deep": 1')
  await expect.poll(() => facts(page).innerText()).toContain('Base64 › gzip of JSON')

  await openByMouse(page, 'c-token')
  await expect.poll(() => editorText(page)).toContain('"sub": "ann"')
  await expect.poll(() => facts(page).innerText()).toContain('signature is not checked')
  await expect.poll(() => facts(page).innerText()).toContain('Expired 2026-01-01')

  await openByMouse(page, 'd-image')
  await expect.poll(() => page.getByTestId('image-facts').innerText()).toContain('PNG image, 1 × 1')

  await openByMouse(page, 'f-object')
  await expect.poll(() => editorText(page)).toContain('kind: ConfigMap')
  await expect.poll(() => editorText(page)).toContain('conf: x=')

  await openByMouse(page, 'g-markup')
  await expect.poll(() => editorText(page)).toContain('<img src=x onerror="window.broken=1">')
  expect(await page.evaluate(() => 'broken' in window)).toBe(false)
}

/** Bytes are changed by the mouse, and taken back. */
async function changeBytes(page: Page): Promise<void> {
  await openByMouse(page, 'e-bytes')
  await expect.poll(() => hexRow(page, 1).innerText()).toContain('00 ff 10 41 42 43')
  await page.getByRole('button', { name: 'Edit', exact: true }).click()
  await page.getByRole('radio', { name: 'Overwrite' }).waitFor()
  await hexRow(page, 1)
    .getByRole('gridcell')
    .nth(1)
    .click({ position: { x: 6, y: 8 } })
  await page.keyboard.type('7f')
  await expect.poll(() => hexRow(page, 1).innerText()).toContain('7f ff 10 41 42 43')
  await page.getByRole('button', { name: 'Save', exact: true }).click()
  await page.getByText('Saved /v/e-bytes at').waitFor()
  await expect.poll(() => page.getByTestId('fact-version').innerText()).toBe('2')
}

/** Bytes are found, changed and inserted by the keyboard alone. */
async function changeBytesByKeys(app: LaunchedApp): Promise<void> {
  const { page } = app
  const hand = keyboardOf(app)
  await hand.openKey('/v/a-json')
  await expect.poll(() => editorText(page)).toContain('"on": true')
  await page.keyboard.press('Alt+v')
  await expect.poll(() => editorText(page)).toBe('{"id":12345678901234567890,"on":true}')
  await hand.choose(view(page, 'YAML'))
  await expect.poll(() => editorText(page)).toContain('id: 12345678901234567890')
  await hand.openKey('/v/e-bytes')
  await page.getByTestId('hex-view').waitFor()
  await page.keyboard.press('Control+e')
  await page.getByRole('radio', { name: 'Overwrite' }).waitFor()
  await page.getByRole('grid', { name: 'Bytes of the value, editing' }).focus()
  await page.keyboard.press('Control+f')
  await page.keyboard.type('ABC')
  await page.keyboard.press('Enter')
  await expect.poll(() => page.getByTestId('hex-status').innerText()).toContain('3 bytes selected')
  await page.keyboard.press('Escape')
  await page.keyboard.press('Control+g')
  await page.keyboard.type('0x1')
  await page.keyboard.press('Enter')
  await expect.poll(() => page.getByTestId('hex-status').innerText()).toContain('Offset 0x1 (1)')
  await page.keyboard.press('Insert')
  await page.keyboard.type('ee')
  await expect.poll(() => hexRow(page, 1).innerText()).toContain('7f ee ff 10 41 42 43')
  await page.keyboard.press('Control+z')
  await page.keyboard.press('Control+z')
  await expect.poll(() => hexRow(page, 1).innerText()).toContain('7f ff 10 41 42 43')
  await page.keyboard.press('Control+End')
  await page.keyboard.type('5a')
  await page.keyboard.press('Control+s')
  await page.getByText('Saved /v/e-bytes at').last().waitFor()
  await expect.poll(() => page.getByTestId('fact-version').innerText()).toBe('3')
  await expect.poll(() => hexRow(page, 1).innerText()).toContain('41 42 43 5a')
}

/** Text is laid out, checked, and goes to a file and back. */
async function workOnText(page: Page, app: ElectronApplication): Promise<void> {
  await openByMouse(page, 'h-setting')
  await expect.poll(() => page.locator('.monaco-editor .squiggly-error').count()).toBeGreaterThan(0)

  await openByMouse(page, 'a-json')
  await expect.poll(() => editorText(page)).toContain('"on": true')
  await page.keyboard.press('Control+e')
  await page.getByText('Unchanged').waitFor()
  await page.keyboard.press('Shift+Alt+F')
  await page.getByText('Not saved', { exact: true }).waitFor()
  await expect.poll(() => editorText(page)).toContain('"id": 12345678901234567890')
  await page.keyboard.press('Control+s')
  await page.getByText('Saved /v/a-json at').waitFor()

  const path = join(directory, 'a.json')
  await answerDialogs(app, path)
  await page.getByRole('button', { name: 'Save to a file' }).click()
  await page.getByText('Saved 46 B as').waitFor()
  expect(readFileSync(path, 'utf8')).toBe('{\n  "id": 12345678901234567890,\n  "on": true\n}')
  writeFileSync(path, 'from a file\r\n')
  await page.getByRole('button', { name: 'Load from a file' }).click()
  await page.getByText('Not saved', { exact: true }).waitFor()
  await page.keyboard.press('Control+s')
  await page.getByText('Saved /v/a-json at').last().waitFor()
  await expect.poll(() => facts(page).innerText()).toContain('CRLF')
}

async function walk(app: LaunchedApp): Promise<void> {
  const { page } = app
  await fill(page)
  await lookAtAll(page)
  await changeBytes(page)
  await changeBytesByKeys(app)
  await workOnText(page, app.app)
}

describe('values on our own nodes', () => {
  test('every kind is shown as what it is, and written as text and as bytes', async () => {
    launched = await launchApp()
    await walk(launched)
  })

  test('nobody is shut out of the views of a value', async () => {
    launched = await launchApp()
    const { page } = launched
    await fill(page)
    const looks = { light: ['c-token', 'e-bytes'], dark: ['d-image', 'e-bytes'] } as const
    for (const theme of ['light', 'dark'] as const) {
      await showTheme(page, theme)
      for (const name of looks[theme]) {
        await openByMouse(page, name)
        expect(await violationsNow(page), name).toEqual([])
      }
    }
  })
})

describe.runIf(isRealEtcdInstalled())('values on real etcd', () => {
  test('every kind is shown as what it is, and written as text and as bytes', async () => {
    cluster = await RealEtcdCluster.start(1)
    launched = await launchApp({ flags: [`--connect=${cluster.clientUrls.join(',')}`] })
    await walk(launched)
  })
})
