/** Clusters that go away and come back, and histories that are compacted while they are looked at: nothing is lost, and the window says what it is. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Locator, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { etcdctl } from '../../helpers/etcdctl.ts'
import { quoratedProgram, readyLine } from '../../helpers/quorated.ts'
import { freePorts, isRealEtcdInstalled } from '../../helpers/real-etcd.ts'
import { ServerProcess } from '../../helpers/server-process.ts'
import { closeDisplay, launchApp, type LaunchedApp } from './launch.ts'
import { findViolations } from './page-acts.ts'

/** For a machine three times slower than the one that this was written on. */
const patience = { timeout: 30_000 }
const timeoutMs = 150_000

let launched: LaunchedApp | undefined
let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'quorate-faults-'))
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

/** A cluster of one member, which can be killed and started again at the same address. */
class LostServer {
  readonly url: string
  private readonly program: string
  private readonly args: readonly string[]
  private process: ServerProcess | undefined

  constructor(program: string, [client, peer]: readonly number[]) {
    this.url = `http://127.0.0.1:${String(client)}`
    const peerUrl = `http://127.0.0.1:${String(peer)}`
    this.program = program
    this.args = [
      '--name=n',
      `--data-dir=${mkdtempSync(join(folder, 'lost-'))}`,
      `--listen-client-urls=${this.url}`,
      `--advertise-client-urls=${this.url}`,
      `--listen-peer-urls=${peerUrl}`,
      `--initial-advertise-peer-urls=${peerUrl}`,
      `--initial-cluster=n=${peerUrl}`,
    ]
  }

  async start(): Promise<void> {
    this.process = new ServerProcess(this.program, { args: this.args })
    await this.process.waitForLine(readyLine)
  }

  async kill(): Promise<void> {
    await this.process?.kill()
  }

  /** Runs a line of etcdctl as another client would. */
  async run(...lines: readonly string[]): Promise<void> {
    for (const line of lines) {
      const { code, stderr } = await etcdctl(line.split(' '), { endpoints: this.url })
      if (code !== 0) throw new Error(`${line}: ${stderr}`)
    }
  }
}

const view = (page: Page, name: string): Promise<void> =>
  page.getByRole('navigation', { name: 'Views' }).getByRole('button', { name, exact: true }).click()
const keyRow = (page: Page, place: number): Locator =>
  page.getByRole('grid', { name: 'Keys' }).locator(`[aria-rowindex="${String(place)}"]`)

async function expectText(locator: Locator, text: string): Promise<void> {
  const look = async (): Promise<string> =>
    (await locator.innerText()).replaceAll('\u00a0', ' ').replaceAll('\n', '')
  await expect.poll(look, patience).toContain(text)
}

const expectStatus = (page: Page, state: string): Promise<void> =>
  page.getByRole('status', { name: 'Status' }).getByText(state, { exact: true }).waitFor(patience)

async function startWatch(page: Page, prefix: string): Promise<void> {
  await view(page, 'Watch')
  await page.getByRole('button', { name: 'New watch' }).first().click()
  await page.getByRole('textbox', { name: 'Key or prefix' }).fill(prefix)
  await page.getByRole('dialog').getByRole('button', { name: 'Watch', exact: true }).click()
}

async function openBin(page: Page, prefix: string): Promise<void> {
  await view(page, 'Deleted keys')
  await page.getByTestId('bin-prefix').fill(prefix)
  await page.getByTestId('bin-prefix').press('Enter')
  await expectText(page.getByTestId('bin-state'), 'Live')
}

async function showPrefix(page: Page, prefix: string): Promise<void> {
  await page.getByTestId('prefix').fill(prefix)
  await page.getByTestId('prefix').press('Enter')
}

async function travelTo(page: Page, revision: number): Promise<void> {
  await page.keyboard.press('Control+g')
  await page.getByTestId('revision-field').fill(String(revision))
  await page.getByTestId('revision-field').press('Enter')
  await expectText(page.getByTestId('travel-banner'), `Reading r${String(revision)},`)
}

/** Compares a prefix at a revision with the head, in a tab of its own. */
async function compare(page: Page, prefix: string, revision: number): Promise<void> {
  await page.keyboard.press('Control+Shift+D')
  await page.getByTestId('compare-start').waitFor(patience)
  await page.getByLabel('Prefix on the left').fill(prefix)
  await page.getByLabel('Prefix on the right').fill(prefix)
  await page.getByLabel('Revision on the left').fill(String(revision))
  await page.getByTestId('compare-start').click()
  await page.getByTestId('compare-method').waitFor(patience)
}

/** Tabs in the order in which `openAll` opens them. */
const tabs = { keys: '1', watch: '2', bin: '3', compare: '4', past: '5' } as const

/** Goes to a tab by its number, as the keyboard does. */
async function goToTab(page: Page, name: keyof typeof tabs): Promise<void> {
  await page.keyboard.press(`Control+${tabs[name]}`)
  const place = Number(tabs[name]) - 1
  await expect
    .poll(() => appTabs(page).nth(place).getAttribute('aria-selected'), patience)
    .toBe('true')
}

const appTabs = (page: Page): Locator =>
  page.getByRole('tablist', { name: 'Tabs', exact: true }).getByRole('tab')

/** A watch, a bin, a comparison, an older revision, and an opened key with text that is not saved. */
async function openAll(page: Page): Promise<void> {
  await startWatch(page, '/l/')
  await expect
    .poll(() => page.getByTestId('watch-complete').innerText(), patience)
    .toMatch(/^r\d+$/u)
  await openBin(page, '/l/')
  await view(page, 'Keys')
  await showPrefix(page, '/l/')
  await expectText(keyRow(page, 1), 'kept')
  await compare(page, '/l/', 2)
  await page.getByTestId('differences').getByText('kept', { exact: true }).click()
  await expectText(page.getByTestId('open-key'), '/l/kept')
  await goToTab(page, 'keys')
  await page.keyboard.press('Control+t')
  await expect.poll(() => appTabs(page).count(), patience).toBe(5)
  await showPrefix(page, '/l/')
  await expectText(keyRow(page, 1), 'kept')
  await travelTo(page, 3)
  await goToTab(page, 'keys')
  await keyRow(page, 1).click()
  await expectText(page.getByTestId('history-summary'), '2 readable versions')
  await page.keyboard.press('Control+e')
  await page.locator('.monaco-editor.focused').waitFor(patience)
  await page.keyboard.type('mine')
  await page.getByText('Not saved', { exact: true }).waitFor(patience)
}

/** Everything says so, and keeps what it had. */
async function lookWhileLost(page: Page): Promise<void> {
  await expectStatus(page, 'Unreachable')
  const lost = page.getByTestId('lost')
  await expectText(lost, 'does not answer. What is shown is of r6, and goes on by itself.')
  await expectText(keyRow(page, 1), 'kept')
  await expectText(page.locator('.monaco-editor .view-lines').first(), 'mine')
  await expectText(page.getByTestId('history-summary'), '2 readable versions')
  await goToTab(page, 'watch')
  await expectText(page.getByTestId('watch-seam').first(), 'Stream lost')
  await expectText(page.getByTestId('watch-item'), 'no stream')
  await expectText(lost, 'goes on by itself')
  await goToTab(page, 'bin')
  await expectText(page.getByTestId('bin-state'), 'Not live, as of r6')
  await expectText(page.getByRole('grid', { name: 'Deleted keys' }), 'gone')
  await page.getByText('The connection was lost; the list goes on by itself').waitFor(patience)
  await goToTab(page, 'compare')
  await expectText(page.getByTestId('differences'), 'third')
  await expectText(lost, 'goes on by itself')
  await goToTab(page, 'past')
  await expectText(page.getByTestId('travel-banner'), 'Reading r3,')
  await expectText(keyRow(page, 1), 'kept')
  await expectText(lost, 'goes on by itself')
  expect(await findViolations(page)).toEqual([])
  await goToTab(page, 'keys')
}

/** What somebody else wrote meanwhile is there, and nothing of it twice. */
async function lookWhenBack(page: Page): Promise<void> {
  await expectStatus(page, 'Connected')
  await page.getByTestId('lost').waitFor({ state: 'detached', ...patience })
  await expectText(keyRow(page, 2), 'later')
  await page.getByTestId('conflict').waitFor(patience)
  await expectText(page.locator('.monaco-editor .view-lines').first(), 'mine')
  await expectText(page.getByTestId('history-summary'), '3 readable versions')
  await goToTab(page, 'watch')
  await expectText(page.getByTestId('watch-list'), 'Reconnected')
  await expect.poll(() => page.getByTestId('watch-event').count(), patience).toBe(3)
  await expect.poll(() => page.getByTestId('watch-seam').count(), patience).toBe(2)
  await expectText(page.getByTestId('watch-list'), 'nothing lost')
  await goToTab(page, 'bin')
  await expectText(page.getByTestId('bin-count'), '2 deleted')
  await expectText(page.getByTestId('bin-state'), 'Live')
  await goToTab(page, 'compare')
  await page.getByTestId('compare-start').click()
  await expectText(page.getByTestId('differences'), 'later')
  await goToTab(page, 'past')
  await expectText(keyRow(page, 1), 'updated r7')
}

/** The watch stands still, a difference and the bin's last value are open, and two revisions of the key are compared. */
async function openPast(page: Page): Promise<void> {
  await goToTab(page, 'keys')
  await page.getByRole('button', { name: 'Discard', exact: true }).click()
  await page.getByRole('tab', { name: 'Diff', exact: true }).click()
  await page.getByRole('button', { name: 'Compare with the previous change' }).click()
  await expectText(page.getByRole('region', { name: /^Difference of/u }), 'theirs')
  await goToTab(page, 'watch')
  await page.getByRole('button', { name: 'Pause the watch of /l/' }).click()
  await expectText(page.getByTestId('watch-item'), 'paused')
}

async function lookWhenCompacted(page: Page): Promise<void> {
  await goToTab(page, 'keys')
  await expectText(page.getByTestId('history-moved'), 'Compacted meanwhile: everything before r11')
  await expectText(page.getByTestId('history-summary'), '2 readable versions')
  await goToTab(page, 'watch')
  await page.getByRole('button', { name: 'Go on with the watch of /l/' }).click()
  await expectText(page.getByTestId('watch-list'), 'r10 to r10 were compacted before')
  await expectText(page.getByTestId('watch-list'), 'Resumed at r11, behind what was compacted.')
  await expect.poll(() => page.getByTestId('watch-event').count(), patience).toBe(5)
  await goToTab(page, 'bin')
  await expectText(page.getByTestId('bin-seam'), 'Deletions up to r11 were compacted away')
  await page.getByRole('grid', { name: 'Deleted keys' }).locator('[aria-rowindex="1"]').click()
  await expectText(page.getByTestId('bin-detail'), 'The last value was compacted away')
  await goToTab(page, 'compare')
  await page.getByTestId('differences').getByText('later', { exact: true }).click()
  await page.getByTestId('differences').getByText('kept', { exact: true }).click()
  await expectText(page.getByRole('alert').first(), 'That revision is gone')
  await page.getByTestId('compare-start').click()
  await page.getByRole('button', { name: 'Read r11, the oldest kept' }).click()
  await page.getByTestId('compare-method').waitFor(patience)
  await goToTab(page, 'past')
  const notice = page.getByTestId('travel-notice')
  await expectText(notice, 'That revision is gone')
  await notice.getByRole('button', { name: 'Go to r11' }).click()
  await expectText(page.getByTestId('travel-banner'), 'Reading r11,')
}

describe.runIf(isRealEtcdInstalled())(
  'a cluster that goes away, comes back and is compacted',
  () => {
    test.each([
      ['etcd', 'etcd'],
      ['quorate', quoratedProgram],
    ])(
      '%s: what is open stays in sight, says so, and goes on',
      { timeout: timeoutMs },
      async (_kind, program) => {
        const server = new LostServer(program, await freePorts(2))
        await server.start()
        try {
          await server.run('put /l/kept 1', 'put /l/kept 2', 'put /l/gone 1', 'put /l/third 1')
          await server.run('del /l/gone')
          launched = await launchApp({ flags: [`--connect=${server.url}`] })
          const { page } = launched
          page.setDefaultTimeout(patience.timeout)
          await expectStatus(page, 'Connected')
          await openAll(page)
          await server.kill()
          await lookWhileLost(page)
          await server.start()
          await server.run('put /l/kept theirs', 'put /l/later y', 'del /l/third')
          await lookWhenBack(page)
          await openPast(page)
          await server.run('put /l/kept a', 'put /l/kept b', 'put /l/kept c', 'compaction 11')
          await lookWhenCompacted(page)
        } finally {
          await server.kill()
        }
      },
    )
  },
)
