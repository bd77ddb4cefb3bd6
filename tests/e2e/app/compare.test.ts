/** Comparisons in the real window: two revisions and two clusters, on real etcd and our nodes, by mouse and by keyboard. */

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { isRealEtcdInstalled, RealEtcdCluster } from '../../helpers/real-etcd.ts'
import { RpcClient } from '../../helpers/rpc-client.ts'
import { keyboardOf, mouseOf, type Hand } from './hands.ts'
import { closeDisplay, launchApp, type LaunchedApp, type PageWindow } from './launch.ts'
import { answerFileDialogs, findViolations } from './page-acts.ts'

declare const window: PageWindow

type Pairs = readonly (readonly [key: string, value: string | null])[]

let launched: LaunchedApp
let cluster: RealEtcdCluster
let folder: string
/** Connections by what they are. */
const ids = { ours: '', real: '' }

beforeAll(async () => {
  if (!isRealEtcdInstalled()) return
  folder = mkdtempSync(join(tmpdir(), 'quorate-compare-'))
  cluster = await RealEtcdCluster.start(1)
  launched = await launchApp({ flags: ['--playground=1'] })
  const { page } = launched
  await page.getByText('Connected', { exact: true }).first().waitFor({ timeout: 60_000 })
  // The screen that answers to the keys is there a moment later than the connection.
  await page.getByTestId('prefix').waitFor({ timeout: 60_000 })
  ids.ours = await page.evaluate(async () => {
    const info = await window.bridge.app.info()
    return info.ok ? (info.value.initialConnectionId ?? '') : ''
  })
  ids.real = await page.evaluate(async (endpoints) => {
    const opened = await window.bridge.connections.open({
      endpoints,
      name: 'Real etcd',
      environment: 'staging',
      isSaved: false,
    })
    return opened.ok ? opened.value.id : ''
  }, cluster.clientUrls)
}, 120_000)

afterEach(() => {
  if (isRealEtcdInstalled()) expect(launched.pageErrors).toEqual([])
})

afterAll(async () => {
  if (!isRealEtcdInstalled()) return
  await launched.close()
  cluster.stop()
  rmSync(folder, { recursive: true, force: true })
  closeDisplay()
})

/** Writes keys, each in a revision of its own (null deletes); answers the newest revision. */
function write(connectionId: string, pairs: Pairs): Promise<number> {
  return launched.page.evaluate(
    async (given) => {
      const encoder = new TextEncoder()
      let revision = 0
      for (const [name, value] of given.pairs) {
        const key = encoder.encode(name)
        const reply = await window.bridge.kv.txn({
          connectionId: given.connectionId,
          compares: [],
          thenOperations: [
            value === null
              ? { kind: 'delete', range: { kind: 'key', key } }
              : { kind: 'put', key, value: encoder.encode(value), lease: 0n },
          ],
          elseOperations: [],
        })
        if (!reply.ok) throw new Error(reply.error.message)
        revision = reply.value.revision
      }
      return revision
    },
    { connectionId, pairs },
  )
}

/** The value of a key now, or null. */
function valueOf(connectionId: string, key: string): Promise<string | null> {
  return launched.page.evaluate(
    async (given) => {
      const reply = await window.bridge.kv.get({
        connectionId: given.connectionId,
        key: new TextEncoder().encode(given.key),
        revision: 0,
      })
      if (!reply.ok) throw new Error(reply.error.message)
      const { pair } = reply.value
      return pair === undefined ? null : new TextDecoder().decode(pair.value)
    },
    { connectionId, key },
  )
}

const counts = (page: Page): Promise<string[]> =>
  page.locator('[data-kind-filter] b').allInnerTexts()
const line = (page: Page, label: string) =>
  page.getByTestId('differences').getByRole('treeitem', { name: label, exact: true })

/** Opens the screen from the key browser. */
async function openComparison(page: Page, hand: Hand): Promise<void> {
  if (hand.name === 'keyboard') await page.keyboard.press('Control+Shift+D')
  else {
    await page
      .getByRole('navigation', { name: 'Views' })
      .getByRole('button', { name: 'Keys', exact: true })
      .click()
    await page.getByRole('button', { name: 'Compare with a revision or a cluster' }).click()
  }
  await page.getByTestId('compare-start').waitFor()
}

/** Says what is compared, and begins. */
async function compareSides(
  page: Page,
  hand: Hand,
  sides: { left: string; right: string; prefix: string; revision?: number },
): Promise<void> {
  for (const side of ['left', 'right'] as const) {
    const list = page.getByLabel(`Connection on the ${side}`)
    await hand.select(list, await list.locator(`option[value="${sides[side]}"]`).innerText())
    await hand.fill(page.getByLabel(`Prefix on the ${side}`), sides.prefix)
  }
  if (sides.revision !== undefined)
    await hand.fill(page.getByLabel('Revision on the left'), `r${String(sides.revision)}`)
  await hand.press(page.getByTestId('compare-start'))
  await page.getByTestId('compare-method').waitFor({ timeout: 20_000 })
}

/** Makes the right side like the left in what was chosen. */
async function applyRight(page: Page, hand: Hand): Promise<void> {
  if (hand.name === 'keyboard') await page.keyboard.press('Control+Alt+ArrowRight')
  else await page.getByTestId('apply-right').click()
  await page.getByTestId('plan-run').waitFor()
  await hand.press(page.getByTestId('plan-run'))
  await page.getByTestId('plan-report').waitFor({ timeout: 20_000 })
  if (hand.name === 'keyboard') await page.keyboard.press('Escape')
  else await page.getByRole('button', { name: 'Close', exact: true }).click()
  await page.getByTestId('plan-report').waitFor({ state: 'detached' })
}

/** Chooses the first folder of the tree by keys, or lines by their boxes. */
async function chooseLines(page: Page, hand: Hand, labels: readonly string[]): Promise<void> {
  if (hand.name === 'mouse') {
    for (const label of labels) await line(page, label).locator('.check').click({ force: true })
  } else {
    await page.getByRole('tree', { name: 'Differences' }).focus()
    for (const key of ['Home', 'ArrowDown', 'Space']) await page.keyboard.press(key)
  }
  const text = `${String(labels.length)} chosen`
  await expect.poll(() => page.getByTestId('chosen-count').innerText()).toBe(text)
}

async function setSides(page: Page, left: string, right: string, prefix: string): Promise<void> {
  await page.getByLabel('Connection on the left').selectOption(left)
  await page.getByLabel('Connection on the right').selectOption(right)
  await page.getByLabel('Prefix on the left').fill(prefix)
  await page.getByLabel('Prefix on the right').fill(prefix)
}

/** What differs goes to a file. */
async function expectExport(form: 'json' | 'diff', save: () => Promise<void>): Promise<void> {
  const path = join(folder, `differences.${form}`)
  rmSync(path, { force: true })
  await answerFileDialogs(launched, path)
  await save()
  await expect.poll(() => (existsSync(path) ? readFileSync(path, 'utf8') : '')).toContain('/a/')
  if (form === 'json') expect(JSON.parse(readFileSync(path, 'utf8'))).toBeTypeOf('object')
}

/** Opens one difference after the other, and the one before. */
async function stepThrough(page: Page, at: string): Promise<void> {
  const steps = [
    ['ArrowDown', 'one'],
    ['ArrowDown', 'two'],
    ['ArrowUp', 'one'],
  ] as const
  for (const [key, name] of steps) {
    await page.keyboard.press(`Alt+${key}`)
    await expect.poll(() => page.getByTestId('open-key').innerText()).toBe(`${at}a/${name}`)
  }
}

const handOf = (name: Hand['name']): Hand =>
  name === 'mouse' ? mouseOf(launched) : keyboardOf(launched)

describe.runIf(isRealEtcdInstalled())('comparisons', () => {
  test.each(['mouse', 'keyboard'] as const)(
    'by %s: real etcd and our nodes, one chosen key brought over',
    async (name) => {
      const { page } = launched
      const hand = handOf(name)
      const at = `/two-${name}/`
      await write(ids.real, [
        [`${at}same`, 'same'],
        [`${at}a/left`, '1'],
        [`${at}a/text`, '{"b":2,"a":1}'],
      ])
      await write(ids.ours, [
        [`${at}same`, 'same'],
        [`${at}a/text`, '{"a":1,"b":3}'],
        [`${at}b/right`, '2'],
      ])
      await openComparison(page, hand)
      await compareSides(page, hand, { left: ids.real, right: ids.ours, prefix: at })
      await expect.poll(() => counts(page)).toEqual(['3', '1', '1', '1'])
      if (name === 'mouse') await line(page, `${at}a/text, changed`).click()
      else for (let step = 0; step < 2; step++) await page.keyboard.press('Alt+ArrowDown')
      await expect.poll(() => page.getByTestId('open-key').innerText()).toBe(`${at}a/text`)
      await page.getByTestId('diff-count').waitFor({ timeout: 30_000 })
      await hand.press(page.getByRole('switch', { name: 'Sort JSON' }))
      await expect.poll(() => page.getByTestId('diff-count').innerText()).toBe('−1 +1 lines')

      await expectExport('json', () => hand.press(page.getByTestId('export-json')))

      await hand.press(page.locator('[data-kind-filter="removed"]'))
      await expect.poll(() => page.getByTestId('differences').getByRole('treeitem').count()).toBe(2)
      await chooseLines(page, hand, [`${at}a/left, removed`])
      await applyRight(page, hand)
      await expect.poll(() => valueOf(ids.ours, `${at}a/left`)).toBe('1')
      await expect.poll(() => valueOf(ids.ours, `${at}b/right`)).toBe('2')

      await hand.press(page.locator('[data-kind-filter="all"]'))
      await hand.press(page.getByRole('button', { name: 'Compare again' }))
      await expect.poll(() => counts(page)).toEqual(['2', '1', '1', '0'])
    },
    90_000,
  )

  test.each([
    ['keyboard', 'real etcd', 'real'],
    ['mouse', 'real etcd', 'real'],
    ['keyboard', 'our nodes', 'ours'],
    ['mouse', 'our nodes', 'ours'],
  ] as const)(
    'by %s: two revisions of %s, a folder taken back',
    async (name, _server, kind) => {
      const { page } = launched
      const hand = handOf(name)
      const at = `/past-${name}/`
      const then = await write(ids[kind], [
        [`${at}a/one`, 'old'],
        [`${at}a/two`, 'old'],
        [`${at}b/three`, 'old'],
      ])
      await write(ids[kind], [
        [`${at}a/one`, 'new'],
        [`${at}a/two`, null],
        [`${at}b/four`, 'new'],
      ])
      await openComparison(page, hand)
      const sides = { left: ids[kind], right: ids[kind], prefix: at, revision: then }
      await compareSides(page, hand, sides)
      await expect.poll(() => counts(page)).toEqual(['3', '1', '1', '1'])

      await line(page, `${at}a/one, changed`).waitFor()
      if (name === 'keyboard') await stepThrough(page, at)
      await expectExport('diff', () =>
        name === 'keyboard'
          ? page.keyboard.press('Control+Shift+S')
          : page.getByTestId('export-diff').click(),
      )
      await chooseLines(page, hand, [`${at}a/one, changed`, `${at}a/two, removed`])
      await applyRight(page, hand)
      await expect.poll(() => valueOf(ids[kind], `${at}a/one`)).toBe('old')
      await expect.poll(() => valueOf(ids[kind], `${at}a/two`)).toBe('old')
      await expect.poll(() => valueOf(ids[kind], `${at}b/four`)).toBe('new')
      // The other direction would change the past.
      await expect.poll(() => page.getByTestId('apply-left').isDisabled()).toBe(true)
    },
    90_000,
  )

  test('a compacted side says so and offers the oldest revision that is kept', async () => {
    const { page } = launched
    const head = await write(ids.real, [
      ['/gone/key', '1'],
      ['/gone/key', '2'],
      ['/gone/key', '3'],
    ])
    const rpc = new RpcClient(cluster.clientUrls[0] ?? '')
    await rpc.must('compact', { revision: BigInt(head - 1), physical: true })
    rpc.close()
    await openComparison(page, handOf('keyboard'))
    await setSides(page, ids.real, ids.real, '/gone/')
    await page.getByLabel('Revision on the left').fill('2')
    await page.getByTestId('compare-start').click()
    await page.getByText('The left side could not be read').waitFor({ timeout: 20_000 })
    await page
      .getByRole('button', { name: `Read r${String(head - 1)}, the oldest kept`, exact: true })
      .click()
    await page.getByTestId('compare-method').waitFor({ timeout: 20_000 })
    await expect.poll(() => counts(page)).toEqual(['1', '0', '1', '0'])
  }, 60_000)

  test('the screen has no violation that axe finds, in both themes', async () => {
    const { page } = launched
    await line(page, '/gone/key, changed').click()
    await page.getByTestId('diff-count').waitFor({ timeout: 30_000 })
    expect(await findViolations(page)).toEqual([])
  }, 60_000)
})
