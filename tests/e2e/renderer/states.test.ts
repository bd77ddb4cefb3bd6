/** On the fake bridge: what the window shows where something is missing, does not fit, or is taken back. */

import type { Locator, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { FakeWorld } from '../../helpers/fake-bridge.ts'
import { openPageWindow } from './open-page.ts'
import type { PageWindow } from './open-page.ts'

declare const fakeWorld: FakeWorld
/** What functions that run in the page see of it: the tests are compiled without the browser's types. */
interface Box {
  readonly scrollWidth: number
  readonly clientWidth: number
  readonly textContent: string
  getBoundingClientRect(): { readonly top: number; readonly bottom: number; readonly left: number }
  querySelectorAll(selector: string): Iterable<Box>
}

let window: PageWindow

beforeAll(async () => {
  window = await openPageWindow()
}, 180_000)

afterEach(() => {
  expect(window.errors).toEqual([])
})

afterAll(async () => {
  await window.close()
})

const flags = '/app/checkout/flags/'

async function openFlags(): Promise<Page> {
  const page = await window.open('quiet&keys=2000')
  await page.getByTestId('prefix').fill(flags)
  await page.getByText('All 10 rows loaded').waitFor()
  return page
}

const tree = (page: Page): Locator => page.getByRole('tree')
const folder = (page: Page, name: string): Locator =>
  tree(page).getByRole('treeitem').filter({ hasText: name }).first()

describe('a search that found nothing', () => {
  test('tells what it looked at, and goes on among all keys', async () => {
    const page = await openFlags()
    await page.keyboard.press('Control+f')
    await page.getByTestId('search-text').fill('configmaps')
    await page.keyboard.press('Enter')
    await page.getByText(/^Looked at 10 keys of \/app\/checkout\/flags\/ at r\d+\.$/u).waitFor()
    await page.getByRole('button', { name: 'Search all keys' }).click()
    await page
      .getByRole('row', { name: /configmaps/u })
      .first()
      .waitFor()
    await expect.poll(() => page.getByTestId('prefix').inputValue()).toBe('')
    await expect.poll(() => page.getByTestId('search-text').inputValue()).toBe('configmaps')
  })

  test('among the loaded rows goes on in the whole list', async () => {
    const page = await window.open('quiet&keys=5000')
    await page.getByText('rows loaded').waitFor()
    await page.keyboard.press('Control+f')
    await page.getByRole('radio', { name: 'Loaded', exact: true }).click()
    await page.getByTestId('search-text').fill('/registry/services/')
    await page.keyboard.press('Enter')
    await page.getByText(/^Looked at [\d,]+ of 5,449 keys of all keys\.$/u).waitFor()
    await page.getByRole('button', { name: 'Search the whole list' }).click()
    await page.getByTestId('scan').getByText('5,449 of 5,449 keys looked at').waitFor()
  })
})

describe('a cluster that does not answer', () => {
  test('leaves the folders that were read as they are, and they are read anew when it answers', async () => {
    const page = await openFlags()
    await folder(page, 'apple-pay').waitFor()
    await page.evaluate(() => {
      fakeWorld.cluster.end('node1', 'killed')
      fakeWorld.cluster.end('node2', 'killed')
    })
    await page.getByRole('status', { name: 'Status' }).getByText('No quorum').waitFor()
    await page.getByRole('complementary').getByRole('button', { name: 'Refresh' }).click()
    // A folder that was never read says so; those that were read ask before it.
    await folder(page, '/locks').click()
    const unread = tree(page).getByText('Not read. Try again')
    await unread.first().waitFor()
    await expect.poll(() => unread.count()).toBe(1)
    await folder(page, 'apple-pay').waitFor()
    await page.evaluate(() => {
      fakeWorld.cluster.start('node1')
      fakeWorld.cluster.start('node2')
    })
    await unread.waitFor({ state: 'detached' })
    await folder(page, 'apple-pay').waitFor()
  })
})

describe('rows that are on their way', () => {
  test('stand in the columns of the list', async () => {
    const page = await openFlags()
    await page.evaluate(() => {
      const { kv } = fakeWorld.bridge
      Object.assign(kv, { range: () => new Promise(() => undefined) })
    })
    await page.getByTestId('prefix').fill('/registry/')
    await page.getByTestId('prefix').press('Enter')
    const list = page.getByRole('region', { name: 'Keys', exact: true })
    await list.getByRole('status', { name: 'Loading' }).waitFor()
    const edges = (selector: string): Promise<readonly number[]> =>
      list.evaluate(
        (region: unknown, cells: string) =>
          [...(region as Box).querySelectorAll(cells)].map((cell) =>
            Math.round(cell.getBoundingClientRect().left),
          ),
        selector,
      )
    const heads = await edges('.thead > *')
    await expect
      .poll(async () => (await edges('.skeleton .tr:first-child > span')).join())
      .toBe(heads.join())
  })
})

describe('a revision that was compacted while it was read', () => {
  test('has no folders, and nothing to try again', async () => {
    const page = await openFlags()
    // A tree of the past begins with the folders that are open at the head.
    await folder(page, 'flags').waitFor()
    await page.keyboard.press('Control+g')
    await page.getByTestId('revision-field').fill('200')
    await page.keyboard.press('Enter')
    await page.getByTestId('travel-banner').getByText('r200').waitFor()
    await tree(page).getByRole('treeitem').first().waitFor()
    await page.evaluate(() => {
      fakeWorld.store.compactedRevision = fakeWorld.store.revision - 5
    })
    await page.keyboard.press('F5')
    await page.getByTestId('travel-notice').getByText('That revision is gone').waitFor()
    await page.getByText('The folders of r200 cannot be read.').waitFor()
    await page
      .getByTestId('travel-notice')
      .getByRole('button', { name: /^Go to r/u })
      .click()
    await folder(page, 'flags').waitFor()
  })
})

describe('the caption of the axis', () => {
  test('shows whole parts only, whatever the width', async () => {
    const page = await openFlags()
    await page.keyboard.press('Control+g')
    await page.getByTestId('revision-field').fill('200')
    await page.keyboard.press('Enter')
    await page.getByTestId('travel-banner').getByText('r200').waitFor()
    await page.getByTestId('travel-caption').getByText('a bar').waitFor({ state: 'attached' })
    const partsIn = (): Promise<readonly string[]> =>
      page.getByTestId('travel-zone').evaluate((zone: unknown) => {
        const caption = [...(zone as Box).querySelectorAll('[data-testid=travel-caption]')][0]
        const line = caption?.getBoundingClientRect()
        if (caption === undefined || line === undefined) return []
        return [...caption.querySelectorAll('span')]
          .filter((part) => part.getBoundingClientRect().top < line.bottom)
          .map(
            (part) => `${part.textContent}${part.scrollWidth > part.clientWidth ? ' (cut)' : ''}`,
          )
      })
    const all = [
      /^\d+ revisions? a bar$/u,
      /^tallest \d+ writes?$/u,
      /^in \/app\/checkout\/flags\/$/u,
    ]
    for (const width of [1900, 1280, 1100, 960]) {
      await page.setViewportSize({ width, height: 800 })
      await expect
        .poll(async () => (await partsIn()).every((part, at) => all[at]?.test(part) === true))
        .toBe(true)
    }
    await page.setViewportSize({ width: 1900, height: 800 })
    await expect.poll(async () => (await partsIn()).length).toBe(3)
    await page.setViewportSize({ width: 1280, height: 800 })
  })
})

describe('taking back', () => {
  test('a restore out of the history, from anywhere but a text field', async () => {
    const page = await openFlags()
    await page.getByRole('row', { name: 'express-pay' }).click()
    await page.getByRole('tab', { name: 'Revisions' }).click()
    const revisions = page.getByRole('grid', { name: 'Revisions' })
    await revisions.locator('[aria-rowindex="3"]').click()
    await page.getByText('Writing is off').waitFor()
    await page
      .getByTestId('past-bar')
      .getByRole('button', { name: /^Restore/u })
      .click()
    const version = page.getByTestId('fact-version')
    await expect.poll(() => version.innerText()).toBe('15')
    await page.getByRole('tab', { name: 'Metadata' }).focus()
    await page.keyboard.press('Control+z')
    await expect.poll(() => version.innerText()).toBe('16')
    await page.getByText('Taken back', { exact: true }).waitFor()
    // There is nothing before it.
    await page.keyboard.press('Control+z')
    await page.getByText('Nothing to take back in this tab.').waitFor()
  })

  test('closed tabs come back to their places', async () => {
    const page = await openFlags()
    for (const name of ['Watch', 'Members', 'Playground'])
      await page
        .getByRole('navigation', { name: 'Views' })
        .getByRole('button', { name, exact: true })
        .click()
    const strip = page.getByRole('tablist', { name: 'Tabs' }).getByRole('tab')
    const names = async (): Promise<readonly string[]> =>
      (await strip.allInnerTexts()).map((text) => text.split('\n')[0] ?? '')
    await expect.poll(async () => (await names()).length).toBeGreaterThan(3)
    const before = await names()
    await page.keyboard.press('Control+1')
    await page.keyboard.press('Control+w')
    await page.keyboard.press('Control+1')
    await page.keyboard.press('Control+w')
    await expect.poll(names).toEqual(before.slice(2))
    await page.keyboard.press('Control+Shift+t')
    await page.keyboard.press('Control+Shift+t')
    await expect.poll(names).toEqual(before)
  })
})
