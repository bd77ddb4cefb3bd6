/** The watch pane from end to end, by mouse and by keyboard: on our own nodes, and again on real etcd, each losing the member that serves. */

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ElectronApplication, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { isRealEtcdInstalled, RealEtcdCluster } from '../../helpers/real-etcd.ts'
import { keyboardOf } from './hands.ts'
import { closeDisplay, launchApp, type LaunchedApp, type PageWindow } from './launch.ts'
import { findViolations } from './page-acts.ts'

declare const window: PageWindow

const patienceMs = 45_000
const writeCount = 160
/** The member that serves is lost after this many events have arrived. */
const lostAfter = 40

let launched: LaunchedApp | undefined
let cluster: RealEtcdCluster | undefined
let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'quorate-watch-'))
})
afterEach(async () => {
  const app = launched
  launched = undefined
  await app?.close()
  cluster?.stop()
  cluster = undefined
  expect(app?.pageErrors ?? []).toEqual([])
})
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
  closeDisplay()
})

interface Written {
  readonly key: string
  readonly revision: number
}

/**
 * Writes keys one after the other, and answers at which revision each was written. A put whose outcome is unknown is looked
 * up, so that no key is ever written twice.
 */
function writeKeys(page: Page, connectionId: string, count: number): Promise<readonly Written[]> {
  return page.evaluate(
    async (wanted) => {
      const { kv } = window.bridge
      const written: { key: string; revision: number }[] = []
      while (written.length < wanted.count) {
        const text = `/run/${String(written.length).padStart(4, '0')}`
        const key = new TextEncoder().encode(text)
        const { connectionId: connection } = wanted
        const value = new TextEncoder().encode(`value of ${text}`)
        const put = await kv.put({ connectionId: connection, key, value, expectedModRevision: 0 })
        const found =
          put.ok && put.value.kind === 'written'
            ? put.value.revision
            : await kv
                .get({ connectionId: connection, key, revision: 0 })
                .then((reply) => (reply.ok ? reply.value.pair?.modRevision : undefined))
        if (found !== undefined) written.push({ key: text, revision: found })
        await new Promise((done) => setTimeout(done, found === undefined ? 100 : 8))
      }
      return written
    },
    { connectionId, count },
  )
}

const put = (page: Page, connectionId: string, key: string, value: string): Promise<void> =>
  page.evaluate(
    async (pair) => {
      const encoder = new TextEncoder()
      for (;;) {
        const reply = await window.bridge.kv.put({
          connectionId: pair.connectionId,
          key: encoder.encode(pair.key),
          value: encoder.encode(pair.value),
        })
        if (reply.ok) return
        await new Promise((done) => setTimeout(done, 100))
      }
    },
    { connectionId, key, value },
  )

/** Where the connection's calls go at the moment. */
const servingUrl = (page: Page, connectionId: string): Promise<string> =>
  page.evaluate(async (id) => {
    const reply = await window.bridge.connections.list()
    const own = reply.ok ? reply.value.find((one) => one.id === id) : undefined
    return own?.endpoints.find((endpoint) => endpoint.isActive)?.url ?? ''
  }, connectionId)

const connectionIdOf = (page: Page): Promise<string> =>
  page.evaluate(async () => {
    const reply = await window.bridge.app.info()
    return (reply.ok ? reply.value.initialConnectionId : undefined) ?? ''
  })

/** The next dialog for saving answers this path. */
async function answerSaveDialog(app: ElectronApplication, path: string): Promise<void> {
  await app.evaluate(({ dialog }, filePath) => {
    dialog.showSaveDialog = () => Promise.resolve({ canceled: false, filePath })
  }, path)
}

const numberIn = async (page: Page, testId: string): Promise<number> =>
  Number((await page.getByTestId(testId).innerText()).replaceAll(/[^\d]/gu, ''))

const eventOf = (page: Page, key: string): ReturnType<Page['getByTestId']> =>
  page.getByTestId('watch-event').filter({ has: page.getByTitle(key, { exact: true }) })

/** By mouse: a watch, a lost member, a saved file that equals what was written. */
async function loseTheServingMember(
  { app, page }: LaunchedApp,
  lose: (url: string) => Promise<void>,
): Promise<void> {
  const connectionId = await connectionIdOf(page)
  await page.getByText('Connected', { exact: true }).first().waitFor({ timeout: patienceMs })
  await page
    .getByRole('navigation', { name: 'Views' })
    .getByRole('button', { name: 'Watch', exact: true })
    .click()
  await page.getByRole('button', { name: 'New watch' }).first().click()
  await page.getByRole('textbox', { name: 'Key or prefix' }).fill('/run/')
  await page.getByRole('dialog').getByRole('button', { name: 'Watch', exact: true }).click()
  await expect
    .poll(() => page.getByTestId('watch-complete').innerText(), { timeout: patienceMs })
    .toMatch(/^r\d+$/u)
  const writing = writeKeys(page, connectionId, writeCount)
  await expect
    .poll(() => numberIn(page, 'watch-total'), { timeout: patienceMs })
    .toBeGreaterThan(lostAfter)
  await lose(await servingUrl(page, connectionId))
  const written = await writing
  await expect.poll(() => numberIn(page, 'watch-total'), { timeout: patienceMs }).toBe(writeCount)
  const path = join(folder, `${connectionId}.jsonl`)
  await answerSaveDialog(app, path)
  await page.getByRole('button', { name: 'Save events' }).click()
  await page.getByRole('radio', { name: /^All kept/u }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Save events…' }).click()
  await page.getByText(/^Saved [\d,]+ bytes to/u).waitFor({ timeout: patienceMs })
  const lines = readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line): Record<string, unknown> => JSON.parse(line) as Record<string, unknown>)
  const events = lines.filter((line) => 'revision' in line)
  expect(events.map(({ key, revision }) => ({ key, revision }))).toEqual(written)
  const seams = lines.flatMap((line) => (typeof line['seam'] === 'string' ? [line['seam']] : []))
  expect(seams).toContain('interrupted')
  expect(seams).toContain('resumed')
  expect(seams.filter((seam) => seam === 'gap' || seam === 'dropped')).toEqual([])
}

/** By mouse: pause and go on, search, and the details of an event. */
async function walkByMouse({ page }: LaunchedApp): Promise<void> {
  const connectionId = await connectionIdOf(page)
  const press = (name: string | RegExp): Promise<void> => page.getByRole('button', { name }).click()
  await press('Pause Space')
  await put(page, connectionId, '/run/0003', 'by mouse')
  await press(/^Go on, 1 waiting/u)
  await eventOf(page, '/run/0003').last().waitFor({ timeout: patienceMs })

  await press('Search the events')
  const search = page.getByRole('search', { name: 'Search the events' })
  const found = (): Promise<string> => page.getByTestId('watch-found').innerText()
  await search.getByRole('textbox', { name: 'Search the events' }).fill('/run/0003')
  await expect.poll(found).toBe('2 found')
  // The search goes on from the event that was chosen last.
  await search.getByRole('button', { name: 'Next' }).click()
  await expect.poll(found).toMatch(/^[12] of 2$/u)
  const places = (await found()) === '1 of 2' ? ['2 of 2', '1 of 2'] : ['1 of 2', '2 of 2']
  for (const place of places) {
    await search.getByRole('button', { name: 'Next' }).click()
    await expect.poll(found).toBe(place)
  }
  await search.getByRole('button', { name: 'Close' }).click()
  await search.waitFor({ state: 'detached' })
}

/** Events go to a file while another view is shown, until that is ended. */
async function recordAcrossViews({ app, page }: LaunchedApp): Promise<void> {
  const connectionId = await connectionIdOf(page)
  const view = (name: string): Promise<void> =>
    page
      .getByRole('navigation', { name: 'Views' })
      .getByRole('button', { name, exact: true })
      .click()
  const path = join(folder, `${connectionId}-recorded.jsonl`)
  await answerSaveDialog(app, path)
  await page.getByRole('button', { name: 'Save events' }).click()
  await page.getByRole('button', { name: 'Record from now on…' }).click()
  const stop = page.getByRole('button', { name: 'Stop recording' })
  await stop.waitFor({ timeout: patienceMs })
  await view('Keys')
  await page.getByTestId('prefix').waitFor({ timeout: patienceMs })
  await put(page, connectionId, '/run/recorded', 'while away')
  await view('Watch')
  await eventOf(page, '/run/recorded').first().waitFor({ timeout: patienceMs })
  await stop.click({ timeout: patienceMs })
  await expect
    .poll(() => (existsSync(path) ? readFileSync(path, 'utf8') : ''), { timeout: patienceMs })
    .toContain('while away')
  await stop.waitFor({ state: 'detached', timeout: patienceMs })
}

/** Changes of a watch are told while another view is shown, with a way back to them. */
async function tellElsewhere({ page }: LaunchedApp): Promise<void> {
  const connectionId = await connectionIdOf(page)
  await page.getByRole('button', { name: 'New watch' }).first().click()
  const dialog = page.getByRole('dialog', { name: 'New watch' })
  await dialog.getByRole('textbox', { name: 'Key or prefix' }).fill('/told/')
  await dialog.getByRole('checkbox', { name: 'Tell while another view is shown' }).check()
  await dialog.getByRole('button', { name: 'Watch', exact: true }).click()
  const item = page.getByTestId('watch-item').filter({ has: page.getByTitle('/told/') })
  await item.getByText(/complete to r\d/u).waitFor({ timeout: patienceMs })
  await page
    .getByRole('navigation', { name: 'Views' })
    .getByRole('button', { name: 'Keys', exact: true })
    .click()
  await page.getByTestId('prefix').waitFor({ timeout: patienceMs })
  await put(page, connectionId, '/told/once', 'news')
  const toast = page.locator('.toast').filter({ hasText: '1 change of' })
  await toast.getByRole('button', { name: 'Show', exact: true }).click({ timeout: patienceMs })
  await eventOf(page, '/told/once').first().waitFor({ timeout: patienceMs })
}

/** By keyboard: pause, search, mark, details, copy, filter, another watch, and into the past. */
async function walkByKeyboard(launched: LaunchedApp): Promise<void> {
  const { app, page } = launched
  const connectionId = await connectionIdOf(page)
  const list = page.getByTestId('watch-list')
  await list.focus()
  await page.keyboard.press('Space')
  await put(page, connectionId, '/run/0007', 'another value')
  await page.getByRole('button', { name: 'Go on, 1 waiting' }).waitFor({ timeout: patienceMs })
  await page.keyboard.press('Space')
  await eventOf(page, '/run/0007').first().waitFor({ timeout: patienceMs })

  await page.keyboard.press('Control+f')
  await page.keyboard.type('/run/0007')
  await expect.poll(() => page.getByTestId('watch-found').innerText()).toBe('2 found')
  await page.keyboard.press('Enter')
  await expect.poll(() => page.getByTestId('watch-found').innerText()).toBe('1 of 2')
  await page.keyboard.press('Enter')
  await expect.poll(() => page.getByTestId('watch-found').innerText()).toBe('2 of 2')
  await page.keyboard.press('Enter')
  await expect.poll(() => page.getByTestId('watch-found').innerText()).toBe('1 of 2')
  await page.keyboard.press('Escape')

  await page.locator('[data-testid=watch-list]:focus').waitFor()
  await page.keyboard.press('m')
  await page.keyboard.press('ArrowRight')
  const details = page.getByTestId('watch-details')
  await details.getByTestId('diff-count').waitFor({ timeout: patienceMs })
  await page.keyboard.press('ArrowLeft')
  await details.waitFor({ state: 'detached' })
  await page.keyboard.press('Shift+ArrowDown')
  await page.keyboard.press('Control+c')
  await page.getByText('Copied', { exact: true }).waitFor()
  await page.keyboard.press('n')

  await page.getByRole('textbox', { name: 'Filter keys or values' }).fill('another')
  await expect.poll(() => page.getByTestId('watch-event').count()).toBe(1)
  await page.getByRole('textbox', { name: 'Filter keys or values' }).fill('')
  const path = join(folder, `${connectionId}-chosen.jsonl`)
  await answerSaveDialog(app, path)
  await page.keyboard.press('Control+s')
  const save = page.getByRole('dialog', { name: 'Save events', exact: true })
  await keyboardOf(launched).press(save.getByRole('button', { name: 'Save events…' }))
  await save.waitFor({ state: 'detached' })
  await expect.poll(() => (existsSync(path) ? readFileSync(path, 'utf8') : '')).toContain('/run/')
  await page.keyboard.press('Control+n')
  await page.getByRole('textbox', { name: 'Key or prefix' }).fill('/other/')
  await page.keyboard.press('Control+Enter')
  await expect.poll(() => page.getByTestId('watch-item').count()).toBe(2)
}

async function expectAccessible(page: Page): Promise<void> {
  expect(await findViolations(page)).toEqual([])
}

/** From an event into the keys as they were at its revision. */
async function travel(page: Page): Promise<void> {
  const list = page.getByTestId('watch-list')
  await list.focus()
  await page.keyboard.press('End')
  const revision = await page.getByTestId('watch-event').last().getAttribute('data-revision')
  await page.keyboard.press('t')
  await page.getByText(`Reading`, { exact: false }).first().waitFor({ timeout: patienceMs })
  await page
    .getByText(`r${String(revision)}`)
    .first()
    .waitFor()
}

async function walk(app: LaunchedApp, lose: (url: string) => Promise<void>): Promise<void> {
  await loseTheServingMember(app, lose)
  await walkByKeyboard(app)
  await walkByMouse(app)
  await recordAcrossViews(app)
  await tellElsewhere(app)
  await expectAccessible(app.page)
  await travel(app.page)
}

describe('the watch pane', () => {
  test('on our own nodes', { timeout: 180_000 }, async () => {
    launched = await launchApp({ flags: ['--playground=3'] })
    const { page } = launched
    await walk(launched, (url) =>
      page.evaluate(async (clientUrl) => {
        const reply = await window.bridge.nodes.list()
        const node = reply.ok
          ? reply.value.nodes.find((one) => one.clientUrl === clientUrl)
          : undefined
        if (node === undefined) throw new Error(`no node serves at ${clientUrl}`)
        await window.bridge.nodes.kill({ nodeName: node.name })
      }, url),
    )
  })

  test.runIf(isRealEtcdInstalled())('on real etcd', { timeout: 180_000 }, async () => {
    cluster = await RealEtcdCluster.start(3)
    const { members, clientUrls } = cluster
    launched = await launchApp({ flags: [`--connect=${clientUrls.join(',')}`] })
    await walk(launched, async (url) => {
      const member = members.find((one) => one.clientUrl === url)
      if (member === undefined) throw new Error(`no member serves at ${url}`)
      await member.signal('SIGKILL')
    })
  })
})
