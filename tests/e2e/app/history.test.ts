/** The past of a key in the real window: its lives, two revisions compared, one restored, and a compaction meanwhile. */

import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { isRealEtcdInstalled } from '../../helpers/real-etcd.ts'
import { RpcClient } from '../../helpers/rpc-client.ts'
import { ServerPair } from '../../helpers/server-pair.ts'
import { keyboardOf } from './hands.ts'
import { closeDisplay, launchApp, type LaunchedApp } from './launch.ts'
import { findViolations } from './page-acts.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const key = bytes('/past/rollout')
const timeoutMs = 120_000
const waitMs = 30_000

let launched: LaunchedApp | undefined
afterEach(async () => {
  const app = launched
  launched = undefined
  await app?.close()
  expect(app?.pageErrors ?? []).toEqual([])
})
afterAll(closeDisplay)

/** Three versions, a deletion, four versions; the revisions of all of them. */
async function writePast(rpc: RpcClient): Promise<readonly number[]> {
  const revisions: number[] = []
  const put = async (percent: number): Promise<void> => {
    const value = bytes(`{"percent": ${String(percent)}, "owner": "payments"}`)
    const { header } = await rpc.must('put', { key, value })
    revisions.push(Number(header?.revision ?? 0n))
  }
  for (const percent of [1, 2, 3]) await put(percent)
  const { header } = await rpc.must('deleteRange', { key })
  revisions.push(Number(header?.revision ?? 0n))
  for (const percent of [10, 20, 30, 40]) await put(percent)
  return revisions
}

async function openKey(page: Page): Promise<void> {
  await page.getByText('Connected', { exact: true }).first().waitFor({ timeout: waitMs })
  await page.getByTestId('prefix').fill('/past/')
  await page.getByTestId('prefix').press('Enter')
  await page.getByRole('row', { name: 'rollout' }).click({ timeout: waitMs })
  await expectSummary(page, '7 readable versions, 2 generations')
}

async function expectSummary(page: Page, text: string): Promise<void> {
  await expect
    .poll(() => page.getByTestId('history-summary').innerText(), { timeout: waitMs })
    .toBe(text)
}

async function expectVersion(page: Page, version: string): Promise<void> {
  await expect
    .poll(() => page.getByTestId('fact-version').innerText(), { timeout: waitMs })
    .toBe(version)
}

async function expectDiff(page: Page, texts: readonly string[]): Promise<void> {
  const region = page.getByRole('region', { name: 'Diff', exact: true })
  await region.locator('.monaco-editor .view-line').first().waitFor({ timeout: waitMs })
  for (const text of texts) {
    await expect
      .poll(async () => (await region.innerText()).replaceAll('\u00a0', ' '), { timeout: waitMs })
      .toContain(text)
  }
}

async function expectAccessible(page: Page): Promise<void> {
  expect(await findViolations(page)).toEqual([])
}

const markOf = (page: Page, revision: number | undefined): ReturnType<Page['locator']> =>
  page.getByTestId('history-plot').locator(`[data-revision="${String(revision)}"]`)

async function walkByMouse(
  page: Page,
  revisions: readonly number[],
  checkScreen: (page: Page) => Promise<void>,
): Promise<void> {
  await markOf(page, revisions[4]).click()
  await page.getByText('Writing is off').waitFor({ timeout: waitMs })
  await expectVersion(page, '1')
  await markOf(page, revisions[6]).click({ modifiers: ['Shift'] })
  await page.getByRole('button', { name: 'Compare A and B' }).click()
  await expectDiff(page, ['"percent": 10', '"percent": 30'])
  await checkScreen(page)
  await page.getByTestId('restore-a').click()
  await expectSummary(page, '8 readable versions, 2 generations')
  await page.getByRole('button', { name: 'Undo' }).click()
  await expectSummary(page, '9 readable versions, 2 generations')
  // The value follows a moment later, and the next step is one from what is shown.
  await expectVersion(page, '6')
}

async function walkByKeyboard(app: LaunchedApp): Promise<void> {
  const { page } = app
  await page.getByTestId('history-plot').focus()
  await page.keyboard.press('ArrowLeft')
  await page.getByText('Writing is off').waitFor({ timeout: waitMs })
  await expectVersion(page, '5')
  await page.keyboard.press('a')
  await page.keyboard.press('ArrowLeft')
  await expectVersion(page, '4')
  await page.keyboard.press('b')
  await page.keyboard.press('c')
  await expectDiff(page, ['"percent": 10', '"percent": 40'])
  await page.getByTestId('history-plot').focus()
  await page.keyboard.press('ArrowRight')
  await expectVersion(page, '5')
  await page.keyboard.press('d')
  await expect
    .poll(() => page.getByRole('region', { name: 'Diff', exact: true }).innerText(), {
      timeout: waitMs,
    })
    .toContain('version 5')
  await page.getByTestId('history-plot').focus()
  await page.keyboard.press('c')
  await keyboardOf(app).press(page.getByTestId('restore-a'))
  await expectSummary(page, '10 readable versions, 2 generations')
  await expectVersion(page, '7')
  await page.getByTestId('history-plot').focus()
  await page.keyboard.press('ArrowLeft')
  await expectVersion(page, '6')
}

describe.runIf(isRealEtcdInstalled())('the history of a key', () => {
  let pair: ServerPair
  beforeAll(async () => {
    pair = await ServerPair.start()
  }, timeoutMs)
  afterAll(() => pair.dispose())

  test.each(['etcd', 'quorate'] as const)(
    'on %s it is walked by mouse and by keyboard, and survives a compaction and a deletion',
    async (kind) => {
      const rpc = new RpcClient(pair[kind].clientUrl)
      const revisions = await writePast(rpc)
      launched = await launchApp({ flags: [`--connect=${pair[kind].clientUrl}`] })
      const { page } = launched
      await openKey(page)
      // The screens are the same on both.
      const checkScreen = kind === 'etcd' ? expectAccessible : () => Promise.resolve()
      await walkByMouse(page, revisions, checkScreen)
      await walkByKeyboard(launched)

      await rpc.must('compact', { revision: BigInt(revisions[4] ?? 0), physical: true })
      await page.getByTestId('history-moved').waitFor({ timeout: waitMs })
      await expectSummary(page, '7 readable versions, 1 generation')

      await page.getByRole('button', { name: 'Back to head' }).click()
      await rpc.must('deleteRange', { key })
      await page.getByTestId('tombstone').waitFor({ timeout: waitMs })
      await page.getByRole('tab', { name: 'Revisions' }).click()
      await page.getByTestId('seam-row').waitFor({ timeout: waitMs })
      await checkScreen(page)
      await page.getByTestId('restore-last').click()
      await page.getByTestId('tombstone').waitFor({ state: 'detached', timeout: waitMs })
      await expectSummary(page, '8 readable versions, 2 generations')
      rpc.close()
    },
    timeoutMs,
  )
})
