/** The key list on the fake bridge: lists that are sorted or searched and yet live, columns, regions, shortcuts. */

import type { Locator, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { FakeWorld } from '../../helpers/fake-bridge.ts'
import { violationsNow } from '../app/page-acts.ts'
import { openPageWindow } from './open-page.ts'
import type { PageWindow } from './open-page.ts'

declare const fakeWorld: FakeWorld

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

async function openFlags(): Promise<Page> {
  const page = await window.open('quiet&keys=2000')
  await page.getByTestId('prefix').fill('/app/checkout/flags/')
  await page.getByText('All 10 rows loaded').waitFor()
  return page
}

/** Somebody else writes keys, or deletes them where there is no value. */
async function writeOutside(
  page: Page,
  writes: Readonly<Record<string, string | null>>,
): Promise<void> {
  await page.evaluate((all) => {
    const encoder = new TextEncoder()
    for (const [key, value] of Object.entries(all)) {
      if (value === null) fakeWorld.store.delete([encoder.encode(key)])
      else fakeWorld.store.put(encoder.encode(key), encoder.encode(value))
    }
  }, writes)
}

function row(page: Page, number: number): Locator {
  return page.getByRole('grid', { name: 'Keys' }).locator(`[aria-rowindex="${String(number)}"]`)
}

async function nameOf(page: Page, number: number): Promise<string> {
  const title = await row(page, number).locator('.name').getAttribute('title')
  return title?.slice(title.lastIndexOf('/') + 1) ?? ''
}

describe('lists that are not in the order of their keys', () => {
  test('a list sorted by revision takes changes in their place, flashes them, and lets deleted rows fade', async () => {
    const page = await openFlags()
    await page.locator('[data-sort="mod"]').click()
    await page.getByText('All 10 rows, sorted by').waitFor()
    await writeOutside(page, { '/app/checkout/flags/zz-new': 'on' })
    await expect.poll(() => nameOf(page, 1)).toBe('zz-new')
    await page.getByText('All 11 rows, sorted by').waitFor()
    await writeOutside(page, { '/app/checkout/flags/apple-pay': '{"on":true}' })
    await expect.poll(() => nameOf(page, 1)).toBe('apple-pay')
    await expect.poll(() => nameOf(page, 2)).toBe('zz-new')
    await writeOutside(page, { '/app/checkout/flags/apple-pay': null })
    await expect.poll(() => nameOf(page, 1)).toBe('zz-new')
    await page.getByText('All 10 rows, sorted by').waitFor()
    await expect.poll(() => page.getByTestId('key-count').innerText()).toBe('10 keys')
  })

  test('what a search found follows changes: new matches appear in place, deleted ones go, others stay out', async () => {
    const page = await openFlags()
    await page.getByRole('grid', { name: 'Keys' }).focus()
    await page.keyboard.press('Control+f')
    await page.getByTestId('search-text').fill('pay')
    await page.keyboard.press('Enter')
    await page.getByText('2 keys found').waitFor()
    await writeOutside(page, {
      '/app/checkout/flags/beta-pay': 'on',
      '/app/checkout/flags/other': 'on',
      '/app/other/pay': 'on',
    })
    await page.getByText('3 keys found').waitFor()
    expect(await Promise.all([1, 2, 3].map((at) => nameOf(page, at)))).toEqual([
      ...['apple-pay', 'beta-pay', 'express-pay'],
    ])
    await writeOutside(page, { '/app/checkout/flags/apple-pay': null })
    await page.getByText('2 keys found').waitFor()
    await expect.poll(() => nameOf(page, 1)).toBe('beta-pay')
  })

  test('thousands of changes a second to a sorted list leave the window its frames', async () => {
    const page = await openFlags()
    await page.locator('[data-sort="mod"]').click()
    await page.getByText('All 10 rows, sorted by').waitFor()
    expect(await page.evaluate<number>(floodProbe)).toBeLessThan(60)
    await expect.poll(() => nameOf(page, 1)).toBe('flood-99')
    await page.getByText('All 110 rows, sorted by').waitFor()
  })

  test('in the past a sorted list tells of its rows what came after', async () => {
    const page = await openFlags()
    const revision = await page.evaluate(() => fakeWorld.store.revision)
    await writeOutside(page, { '/app/checkout/flags/apple-pay': null })
    await writeOutside(page, { '/app/checkout/flags/express-pay': '{}' })
    await page.keyboard.press('Control+g')
    await page.getByTestId('revision-field').fill(String(revision))
    await page.getByTestId('revision-field').press('Enter')
    await page.getByText('Writing is off').waitFor()
    await page.locator('[data-sort="version"]').click()
    await page.getByText('All 10 rows, sorted by').waitFor()
    const rowOf = (name: string): Locator =>
      page.getByRole('grid', { name: 'Keys' }).locator('[aria-rowindex]', { hasText: name })
    await rowOf('apple-pay')
      .getByText(`deleted r${String(revision + 1)}`)
      .waitFor()
    await rowOf('express-pay')
      .getByText(`updated r${String(revision + 2)}`)
      .waitFor()
  })
})

describe('columns', () => {
  const orderOf = (page: Page): Promise<readonly string[]> =>
    page
      .locator('.thead [data-column]')
      .evaluateAll((cells: readonly { getAttribute(name: string): string | null }[]) =>
        cells.map((cell) => cell.getAttribute('data-column') ?? ''),
      )
  const widthOf = async (page: Page, column: string): Promise<number> =>
    Math.round((await page.locator(`[data-column="${column}"]`).boundingBox())?.width ?? 0)

  test('an edge is dragged, a name is dragged, and both stay with the connection', async () => {
    const page = await openFlags()
    const before = await widthOf(page, 'size')
    const edge = await page.locator('[data-column="size"] .sash').boundingBox()
    const at = { x: (edge?.x ?? 0) + 2, y: (edge?.y ?? 0) + 8 }
    await page.mouse.move(at.x, at.y)
    await page.mouse.down()
    await page.mouse.move(at.x + 60, at.y, { steps: 4 })
    await page.mouse.up()
    await expect.poll(() => widthOf(page, 'size')).toBe(before + 60)
    await page.locator('[data-column="size"] .sash').dblclick({ force: true })
    await expect.poll(() => widthOf(page, 'size')).toBe(before)
    const mod = await page.locator('[data-column="mod"]').boundingBox()
    const size = await page.locator('[data-column="size"]').boundingBox()
    await page.mouse.move((mod?.x ?? 0) + 30, at.y)
    await page.mouse.down()
    await page.mouse.move((size?.x ?? 0) + 4, at.y, { steps: 6 })
    await page.mouse.up()
    await expect.poll(async () => (await orderOf(page)).slice(0, 3)).toEqual(['key', 'mod', 'size'])
    // A drag is no click: the order of the rows is what it was.
    await page.getByText('All 10 rows loaded').waitFor()
  })

  test('the keyboard resizes and moves a column from its name, and from the menu of columns', async () => {
    const page = await openFlags()
    const before = await widthOf(page, 'mod')
    await page.locator('[data-sort="mod"]').focus()
    await page.keyboard.press('Shift+ArrowRight')
    await expect.poll(() => widthOf(page, 'mod')).toBe(before + 16)
    const place = (await orderOf(page)).indexOf('mod')
    await page.keyboard.press('Control+Shift+ArrowLeft')
    await expect.poll(async () => (await orderOf(page)).indexOf('mod')).toBe(place - 1)
    await page.getByRole('button', { name: 'Columns', exact: true }).press('Enter')
    await page.getByRole('button', { name: 'Move Preview forward' }).press('Enter')
    await expect.poll(async () => (await orderOf(page)).at(-1)).toBe('lease')
    await page.getByLabel('Width of Size in pixels').fill('120')
    await page.keyboard.press('Tab')
    await expect.poll(() => widthOf(page, 'size')).toBe(120)
    await page.getByRole('button', { name: 'Reset columns' }).press('Enter')
    await expect.poll(() => widthOf(page, 'mod')).toBe(before)
  })
})

describe('the keyboard all the way', () => {
  const focusedRegion = (page: Page): Promise<string | null> =>
    page.evaluate<string | null>(
      `document.activeElement?.closest('[data-region]')?.getAttribute('data-region') ?? null`,
    )

  test('F6 goes round the regions that are there, Shift+F6 back, and each gives the focus where it had it', async () => {
    const page = await openFlags()
    await page.getByRole('row', { name: 'express-pay' }).click()
    await page.getByTestId('fact-mod').waitFor()
    await page.getByRole('grid', { name: 'Keys' }).focus()
    const round = [
      'detail',
      'inspector',
      'status',
      'title',
      'activity',
      'side',
      'tabs',
      'main',
      'list',
    ]
    for (const region of round) {
      await page.keyboard.press('F6')
      await expect.poll(() => focusedRegion(page)).toBe(region)
    }
    await expect
      .poll(() => page.evaluate<string | null>(`document.activeElement?.getAttribute('role')`))
      .toBe('grid')
    await page.keyboard.press('Shift+F6')
    await expect.poll(() => focusedRegion(page)).toBe('main')
    await page.keyboard.press('Control+b')
    await page.keyboard.press('Shift+F6')
    await page.keyboard.press('Shift+F6')
    await expect.poll(() => focusedRegion(page)).toBe('activity')
  })

  test('F1 and ? show the shortcuts, which are found by action and by key', async () => {
    const page = await openFlags()
    await page.getByRole('grid', { name: 'Keys' }).focus()
    await page.keyboard.press('Shift+?')
    const table = page.getByRole('dialog', { name: 'Keyboard shortcuts' })
    await table.getByRole('row', { name: /Find….*Ctrl ?F/u }).waitFor()
    await page.keyboard.type('F6')
    await expect.poll(() => table.locator('[data-command]').count()).toBe(2)
    await table.locator('[data-command="view.nextRegion"]').getByText('Next region').waitFor()
    expect(await violationsNow(page)).toEqual([])
    await page.keyboard.press('Escape')
    await table.waitFor({ state: 'detached' })
    await page.keyboard.press('F1')
    await table.waitFor()
    await table.getByRole('button', { name: 'Close' }).click()
    await table.waitFor({ state: 'detached' })
  })
})

describe('what opens over the screen', () => {
  const focused = (page: Page): Promise<string | null> =>
    page.evaluate<string | null>(
      `document.activeElement?.closest('[aria-label]')?.getAttribute('aria-label') ?? null`,
    )
  const closeByKey = async (page: Page, name: string): Promise<void> => {
    const dialog = page.getByRole('dialog', { name, exact: true })
    await dialog.waitFor()
    await expect.poll(() => focused(page)).not.toBe('Keys')
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'detached' })
  }
  const runCommand = async (page: Page, title: string): Promise<void> => {
    await page.keyboard.press('Control+k')
    await page.getByRole('combobox', { name: 'Command palette' }).fill(`>${title}`)
    await page.getByRole('option', { selected: true }).getByText(title).waitFor()
    await page.keyboard.press('Enter')
  }

  test('gives the focus back to the button, the list or the menu that it was opened from', async () => {
    const page = await openFlags()
    await page.getByRole('button', { name: 'New key', exact: true }).click()
    await closeByKey(page, 'New key')
    await expect.poll(() => focused(page)).toBe('New key')

    const list = page.getByRole('grid', { name: 'Keys' })
    await list.focus()
    await page.keyboard.press('Home')
    await page.getByTestId('fact-mod').waitFor()
    await page.keyboard.press('F1')
    await closeByKey(page, 'Keyboard shortcuts')
    await expect.poll(() => focused(page)).toBe('Keys')
    await page.keyboard.press('F1')
    await page.getByRole('dialog').getByRole('button', { name: 'Close' }).click()
    await expect.poll(() => focused(page)).toBe('Keys')

    await page.keyboard.press('Shift+F10')
    await page.getByRole('menuitem', { name: 'Rename…' }).press('Enter')
    await closeByKey(page, 'Rename this key?')
    await expect.poll(() => focused(page)).toBe('Keys')

    await runCommand(page, 'Keys: New key…')
    await closeByKey(page, 'New key')
    await expect.poll(() => focused(page)).toBe('Keys')
  })

  test('gives the focus to the region around a button that has gone meanwhile', async () => {
    const page = await openFlags()
    const button = page.getByRole('button', { name: 'New key', exact: true })
    await button.click()
    await page.getByRole('dialog', { name: 'New key', exact: true }).waitFor()
    await button.evaluate((one) => {
      ;(one as unknown as { remove(): void }).remove()
    })
    await closeByKey(page, 'New key')
    await expect
      .poll(() =>
        page.evaluate<string | null>(
          `document.activeElement?.closest('[data-region]')?.getAttribute('data-region') ?? null`,
        ),
      )
      .toBe('side')
  })

  test('is the menu of a folder at its row, opened by a key', async () => {
    const page = await openFlags()
    const folder = page.getByRole('treeitem', { name: 'flags', selected: true })
    await folder.click()
    await page.getByRole('tree').focus()
    await page.keyboard.press('Shift+F10')
    const menu = page.getByRole('menu')
    await menu.waitFor()
    const row = await folder.boundingBox()
    await expect
      .poll(async () => Math.round((await menu.boundingBox())?.y ?? 0))
      .toBe(Math.round((row?.y ?? 0) + (row?.height ?? 0)))
    await page.keyboard.press('Escape')
    await expect.poll(() => focused(page)).toBe('Key tree')
  })
})

describe('folders', () => {
  test('a folder gets another name after a preview, by mouse, and is put back', async () => {
    const page = await openFlags()
    await page.getByRole('treeitem', { name: 'flags', selected: true }).click({ button: 'right' })
    await page.getByRole('menuitem', { name: 'Rename folder…' }).click()
    const dialog = page.getByRole('dialog', { name: 'Rename everything under this prefix?' })
    await dialog.getByLabel('New prefix').fill('/app/checkout/switches')
    await dialog.getByText('names would run together').waitFor()
    await dialog.getByLabel('New prefix').fill('/app/checkout/switches/')
    await dialog.getByRole('button', { name: 'Preview…' }).click()
    const plan = page.getByRole('alertdialog')
    await plan.getByText('/app/checkout/switches/apple-pay', { exact: true }).waitFor()
    await plan.getByRole('button', { name: 'Rename with 20 writes', exact: true }).click()
    await page.getByTestId('plan-undo').waitFor()
    await expect.poll(() => namesUnder(page, '/app/checkout/switches/')).toHaveLength(10)
    expect(await namesUnder(page, '/app/checkout/flags/')).toHaveLength(0)
    await page.getByTestId('plan-undo').click()
    await page.getByText('20 writes undone').waitFor()
    await expect.poll(() => namesUnder(page, '/app/checkout/flags/')).toHaveLength(10)
  })

  test('a folder gets another name by the keyboard alone', async () => {
    const page = await openFlags()
    await page.getByRole('treeitem', { name: 'flags', selected: true }).click()
    await page.getByRole('tree').focus()
    await page.keyboard.press('F2')
    const dialog = page.getByRole('dialog', { name: 'Rename everything under this prefix?' })
    await dialog.getByLabel('New prefix').waitFor()
    await expect.poll(() => page.evaluate<string>(`String(getSelection())`)).toBe('flags')
    await page.keyboard.type('toggles')
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Rename with 20 writes', exact: true }).waitFor()
    await page.keyboard.press('Control+Enter')
    await expect.poll(() => namesUnder(page, '/app/checkout/toggles/')).toHaveLength(10)
  })
})

function namesUnder(page: Page, prefix: string): Promise<readonly string[]> {
  return page.evaluate((text) => {
    const bytes = new TextEncoder().encode(text)
    const range = { kind: 'prefix', prefix: bytes } as const
    const request = { connectionId: 'any', range, limit: 100, revision: 0, valueBytesMax: 0 }
    const { columns } = fakeWorld.store.range(request)
    return Array.from({ length: columns.rowCount }, (_, row) =>
      new TextDecoder().decode(
        columns.keyBytes.slice(columns.keyOffsets[row], columns.keyOffsets[row + 1]),
      ),
    )
  }, prefix)
}

/** Writes five thousand changes in a second and answers with the usual time between two frames meanwhile. */
const floodProbe = `(async () => {
  const { store } = window.fakeWorld
  const encoder = new TextEncoder()
  const startMs = performance.now()
  const gapsMs = []
  let lastMs = startMs
  let written = 0
  while (written < 5000) {
    await new Promise((done) => requestAnimationFrame(done))
    const nowMs = performance.now()
    gapsMs.push(nowMs - lastMs)
    lastMs = nowMs
    const due = Math.min(5000, (nowMs - startMs) * 5)
    for (; written < due; written++)
      store.put(encoder.encode('/app/checkout/flags/flood-' + String(written % 100)), encoder.encode(String(written)))
  }
  gapsMs.sort((left, right) => left - right)
  return gapsMs[gapsMs.length >> 1]
})()`
