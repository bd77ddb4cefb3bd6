/** Comparisons in the real window: two revisions and two clusters, on real etcd and our nodes, by mouse and by keyboard. */

import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { isRealEtcdInstalled, RealEtcdCluster } from '../../helpers/real-etcd.ts'
import { RpcClient } from '../../helpers/rpc-client.ts'
import { closeDisplay, launchApp, type LaunchedApp, type PageWindow } from './launch.ts'
import { findViolations } from './page-acts.ts'

declare const window: PageWindow

type Pairs = readonly (readonly [key: string, value: string | null])[]

let launched: LaunchedApp
let cluster: RealEtcdCluster
/** Connections by what they are. */
const ids = { ours: '', real: '' }

beforeAll(async () => {
  if (!isRealEtcdInstalled()) return
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

async function openFromKeys(page: Page): Promise<void> {
  await page
    .getByRole('navigation', { name: 'Views' })
    .getByRole('button', { name: 'Keys', exact: true })
    .click()
  await page.getByRole('button', { name: 'Compare with a revision or a cluster' }).click()
  await page.getByTestId('compare-start').waitFor()
}

async function setSides(page: Page, left: string, right: string, prefix: string): Promise<void> {
  await page.getByLabel('Connection on the left').selectOption(left)
  await page.getByLabel('Connection on the right').selectOption(right)
  await page.getByLabel('Prefix on the left').fill(prefix)
  await page.getByLabel('Prefix on the right').fill(prefix)
}

describe.runIf(isRealEtcdInstalled())('comparisons', () => {
  test('by mouse: real etcd and our nodes, one chosen key brought over', async () => {
    const { page } = launched
    const both = [['/two/same', 'same'] as const]
    await write(ids.real, [...both, ['/two/a/left', '1'], ['/two/a/text', '{"b":2,"a":1}']])
    await write(ids.ours, [...both, ['/two/a/text', '{"a":1,"b":3}'], ['/two/b/right', '2']])
    await openFromKeys(page)
    await setSides(page, ids.real, ids.ours, '/two/')
    await page.getByTestId('compare-start').click()
    await page.getByTestId('compare-method').waitFor({ timeout: 20_000 })
    await expect.poll(() => counts(page)).toEqual(['3', '1', '1', '1'])
    await line(page, '/two/a/text, changed').click()
    await page.getByTestId('diff-count').waitFor({ timeout: 30_000 })
    await expect.poll(() => page.getByTestId('open-key').innerText()).toBe('/two/a/text')
    await page.getByRole('switch', { name: 'Sort JSON' }).click()
    await expect.poll(() => page.getByTestId('diff-count').innerText()).toBe('−1 +1 lines')

    await page.locator('[data-kind-filter="removed"]').click()
    await expect.poll(() => page.getByTestId('differences').getByRole('treeitem').count()).toBe(2)
    await line(page, '/two/a/left, removed').locator('.check').click({ force: true })
    await expect.poll(() => page.getByTestId('chosen-count').innerText()).toBe('1 chosen')
    await page.getByTestId('apply-right').click()
    await page.getByTestId('plan-run').click()
    await page.getByTestId('plan-report').waitFor({ timeout: 20_000 })
    await page.getByRole('button', { name: 'Close', exact: true }).click()
    await expect.poll(() => valueOf(ids.ours, '/two/a/left')).toBe('1')
    await expect.poll(() => valueOf(ids.ours, '/two/b/right')).toBe('2')

    await page.locator('[data-kind-filter="all"]').click()
    await page.getByRole('button', { name: 'Compare again' }).click()
    await expect.poll(() => counts(page)).toEqual(['2', '1', '1', '0'])
  }, 90_000)

  test.each([
    ['real etcd', 'real'],
    ['our nodes', 'ours'],
  ] as const)(
    'by keyboard: two revisions of %s, a folder taken back',
    async (_name, kind) => {
      const { page } = launched
      const then = await write(ids[kind], [
        ['/past/a/one', 'old'],
        ['/past/a/two', 'old'],
        ['/past/b/three', 'old'],
      ])
      await write(ids[kind], [
        ['/past/a/one', 'new'],
        ['/past/a/two', null],
        ['/past/b/four', 'new'],
      ])
      await page.keyboard.press('Control+Shift+D')
      await page.getByTestId('compare-start').waitFor()
      await setSides(page, ids[kind], ids[kind], '/past/')
      await page.getByLabel('Revision on the left').focus()
      await page.keyboard.type(`r${String(then)}`)
      await page.keyboard.press('Enter')
      await page.getByTestId('compare-method').waitFor({ timeout: 20_000 })
      await expect.poll(() => counts(page)).toEqual(['3', '1', '1', '1'])

      await line(page, '/past/a/one, changed').waitFor()
      await page.keyboard.press('Alt+ArrowDown')
      await expect.poll(() => page.getByTestId('open-key').innerText()).toBe('/past/a/one')
      await page.keyboard.press('Alt+ArrowDown')
      await expect.poll(() => page.getByTestId('open-key').innerText()).toBe('/past/a/two')
      await page.keyboard.press('Alt+ArrowUp')
      await expect.poll(() => page.getByTestId('open-key').innerText()).toBe('/past/a/one')

      const tree = page.getByRole('tree', { name: 'Differences' })
      await tree.focus()
      await page.keyboard.press('Home')
      await page.keyboard.press('ArrowDown')
      await page.keyboard.press(' ')
      await expect.poll(() => page.getByTestId('chosen-count').innerText()).toBe('2 chosen')
      await page.keyboard.press('Control+Alt+ArrowRight')
      const run = page.getByTestId('plan-run')
      await run.waitFor()
      await run.focus()
      await page.keyboard.press('Enter')
      await page.getByTestId('plan-report').waitFor({ timeout: 20_000 })
      await page.keyboard.press('Escape')
      await page.getByTestId('plan-report').waitFor({ state: 'detached' })
      await expect.poll(() => valueOf(ids[kind], '/past/a/one')).toBe('old')
      await expect.poll(() => valueOf(ids[kind], '/past/a/two')).toBe('old')
      await expect.poll(() => valueOf(ids[kind], '/past/b/four')).toBe('new')
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
    await page.keyboard.press('Control+Shift+D')
    await page.getByTestId('compare-start').waitFor()
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
