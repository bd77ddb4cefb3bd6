/** The key browser on 20,000 keys and more: every way to look for keys, by mouse and by keyboard, on both servers. */

import type { Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { OtherClient } from '../../helpers/other-client.ts'
import { isRealEtcdInstalled } from '../../helpers/real-etcd.ts'
import { ServerPair, type PairedServer } from '../../helpers/server-pair.ts'
import { keyboardOf, mouseOf, moveTo, reach, type Hand } from './hands.ts'
import { closeDisplay, launchApp, type LaunchedApp } from './launch.ts'
import {
  clipboardText,
  endpointsOf,
  expectOpened,
  findViolations,
  keyList,
  keyRow,
  patience,
  runCommand,
  setClipboard,
  showView,
} from './page-acts.ts'

let pair: ServerPair | undefined
afterAll(async () => {
  await pair?.dispose()
  closeDisplay()
})

const bigCount = 20_000
const bigKey = (number: number): string => `/big/k${String(number).padStart(5, '0')}`

/** Everything that one walk through the flows needs. */
interface Walk {
  readonly app: LaunchedApp
  readonly page: Page
  readonly hand: Hand
  readonly other: OtherClient
  readonly server: PairedServer
}

async function fill(server: PairedServer): Promise<void> {
  const other = new OtherClient([server.clientUrl])
  const { length } = { length: bigCount }
  await other.putAll(Array.from({ length }, (_, at) => [bigKey(at), 'v'] as const))
  await other.putAll([
    ...['/app/d', '/app/one/a', '/app/one/b', '/app/two/c'].map((key) => [key, key] as const),
    ...['x:1', 'x:2', 'y:1'].map((name) => [`/app/two/${name}`, 'parted by colons'] as const),
  ])
  // Each order of these three is another one.
  const sizes = { c: 30, a: 300, b: 3 }
  for (const [name, size] of Object.entries(sizes)) {
    await other.put(`/sort/${name}`, 'x'.repeat(size))
  }
  await other.put('/sort/c', 'y'.repeat(sizes.c))
  await other.put('/sort/c', 'z'.repeat(sizes.c))
  await other.put('/sort/b', 'y'.repeat(sizes.b))
  other.dispose()
}

/** Keys that stand in the list, from top to bottom. */
async function shownKeys(page: Page): Promise<readonly string[]> {
  const rows = await keyList(page)
    .getByRole('row')
    .evaluateAll((found) =>
      found.map((row) => {
        const element = row as unknown as {
          getAttribute(name: string): string
          querySelector(selector: string): { title: string } | null
        }
        const title = element.querySelector('.name')?.title ?? ''
        return [Number(element.getAttribute('aria-rowindex')), title] as const
      }),
    )
  return rows.sort(([left], [right]) => left - right).map(([, title]) => title)
}

async function expectKeys(page: Page, keys: readonly string[]): Promise<void> {
  await expect.poll(() => shownKeys(page), patience).toEqual(keys)
}

const rowAt = (page: Page, number: number): Locator =>
  keyList(page).locator(`[role=row][aria-rowindex="${String(number)}"]`)
const folder = (page: Page, path: string): Locator =>
  page.getByRole('treeitem').filter({ has: page.getByTitle(path, { exact: true }) })
const under = (prefix: string, names: readonly string[]): readonly string[] =>
  names.map((name) => `${prefix}${name}`)

async function expectFoot(page: Page, text: string): Promise<void> {
  await expect.poll(() => page.getByTestId('list-footer').allInnerTexts(), patience).toEqual([text])
}

/** Folders are opened, closed and counted; the list alone; another separator. */
async function walkTree({ page, hand }: Walk): Promise<void> {
  const tree = page.getByRole('tree', { name: 'Key tree' })
  await hand.showPrefix('/big/')
  await expect
    .poll(() => folder(page, '/big/').locator('.ct').allInnerTexts(), patience)
    .toEqual(['20,000'])
  await hand.showPrefix('')
  if (hand.name === 'mouse') {
    await tree.hover(patience)
    await page.mouse.wheel(0, -28 * bigCount)
    await folder(page, '/app/').click(patience)
    await folder(page, '/app/one/').click(patience)
  } else {
    await moveTo(page, tree, '/app/')
    if ((await folder(page, '/app/').getAttribute('aria-expanded')) === 'true') {
      await page.keyboard.press('ArrowLeft')
      await folder(page, '/app/one/').waitFor({ state: 'detached', ...patience })
    }
    await page.keyboard.press('ArrowRight')
    await folder(page, '/app/one/').waitFor(patience)
    for (const key of ['ArrowRight', 'ArrowDown', 'Enter']) await page.keyboard.press(key)
  }
  await expectKeys(page, ['/app/one/a', '/app/one/b'])
  await expect.poll(() => page.getByTestId('prefix').inputValue(), patience).toBe('/app/one/')
  await expect
    .poll(() => folder(page, '/app/one/').locator('.ct').allInnerTexts(), patience)
    .toEqual(['2'])

  const modes = page.getByRole('radiogroup', { name: 'Show keys as' })
  await hand.choose(modes.getByRole('radio', { name: 'Flat' }))
  await tree.waitFor({ state: 'detached', ...patience })
  await expectKeys(page, ['/app/one/a', '/app/one/b'])
  await hand.choose(modes.getByRole('radio', { name: 'Tree' }))
  const separator = page.getByRole('textbox', { name: 'Separator' })
  await hand.fill(separator, ':')
  await page.keyboard.press('Enter')
  await folder(page, '/app/two/x:').waitFor(patience)
  await expect
    .poll(() => folder(page, '/app/two/x:').locator('.ct').allInnerTexts(), patience)
    .toEqual(['2'])
  await hand.fill(separator, '/')
  await page.keyboard.press('Enter')
  await folder(page, '/app/').waitFor(patience)
}

/** Whether a row lies wholly inside of its list, beside an opened key. */
async function isInSight(list: Locator, row: Locator): Promise<boolean> {
  const [outer, inner] = [await list.boundingBox(patience), await row.boundingBox(patience)]
  if (outer === null || inner === null) return false
  return inner.y >= outer.y - 1 && inner.y + inner.height <= outer.y + outer.height + 1
}

/** Twenty thousand keys: to any place of the list, without reading all of them. */
async function walkBig({ page, hand }: Walk): Promise<void> {
  await hand.showPrefix('/big/')
  await expect.poll(() => page.getByTestId('key-count').innerText(), patience).toBe('20,000 keys')
  await keyRow(page, bigKey(0)).waitFor(patience)
  if (hand.name === 'mouse') {
    await keyList(page).hover(patience)
    await page.mouse.wheel(0, 28 * 10_000)
    await expect.poll(async () => (await shownKeys(page))[0], patience).toMatch(/^\/big\/k(09|10)/)
    await page.mouse.wheel(0, 28 * bigCount)
    await hand.openKey(bigKey(bigCount - 1))
  } else {
    await reach(page, keyList(page))
    for (const key of ['Home', 'PageDown', 'PageDown', 'ArrowDown']) await page.keyboard.press(key)
    const name = await keyList(page).locator('.focus .name').getAttribute('title')
    await expectOpened(page, name ?? '')
    await page.keyboard.press('Home')
    await expectOpened(page, bigKey(0))
    // The last row was not read yet, and opens once it is.
    await page.keyboard.press('End')
    await expectOpened(page, bigKey(bigCount - 1))
  }
  await rowAt(page, bigCount)
    .and(keyRow(page, bigKey(bigCount - 1)))
    .waitFor(patience)
  // The key that opens takes room from the list, and does not push its row out of sight.
  await expect.poll(() => isInSight(keyList(page), rowAt(page, bigCount)), patience).toBe(true)
  await expect
    .poll(() => page.getByTestId('list-footer').innerText(), patience)
    .toMatch(/^\d,\d{3} of 20,000 rows loaded$/)

  // A choice from the first row to the last, of which most were never loaded.
  if (hand.name === 'mouse') {
    await keyList(page).hover(patience)
    await page.mouse.wheel(0, -28 * bigCount)
    await keyRow(page, bigKey(0)).click(patience)
    await page.mouse.wheel(0, 28 * bigCount)
    await keyRow(page, bigKey(bigCount - 1)).click({ modifiers: ['Shift'], ...patience })
  } else {
    await reach(page, keyList(page))
    await page.keyboard.press('Shift+Home')
  }
  await expect
    .poll(() => page.getByTestId('selected').allInnerTexts(), patience)
    .toEqual(['20,000 selected of 20,000'])
  await reach(page, keyList(page))
  await page.keyboard.press('Escape')

  // Straight to the middle.
  await hand.showPrefix('/big/k1500')
  await expectFoot(page, 'All 10 rows loaded')
  await hand.openKey('/big/k15004')
}

/** Looks for keys among the loaded ones, and on the server. */
async function search({ page, hand, server }: Walk): Promise<void> {
  await hand.showPrefix('/big/')
  await keyRow(page, bigKey(0)).waitFor(patience)
  if (hand.name === 'mouse') await hand.press(page.getByRole('button', { name: 'Find keys' }))
  else await page.keyboard.press('Control+f')
  const bar = page.getByRole('search', { name: 'Find keys' })
  const text = page.getByTestId('search-text')
  const find = async (): Promise<void> => {
    if (hand.name === 'mouse')
      await hand.press(bar.getByRole('button', { name: 'Find', exact: true }))
    else await page.keyboard.press('Enter')
  }
  const choose = (way: string): Promise<void> =>
    hand.choose(bar.getByRole('radio', { name: way, exact: true }))
  await hand.fill(text, '999')
  await find()
  await expectFoot(page, '38 keys found')
  await keyRow(page, '/big/k00999').waitFor(patience)
  await expect
    .poll(() => page.getByTestId('scan').innerText(), patience)
    .toContain('20,000 of 20,000 keys looked at')

  // While the server holds still there is time to think better of it.
  server.process.signal('SIGSTOP')
  try {
    await hand.fill(text, '1234')
    await find()
    await hand.press(page.getByTestId('scan').getByRole('button', { name: 'Cancel' }))
    await page.getByText('Cancelled; this is what was found so far.').waitFor(patience)
  } finally {
    server.process.signal('SIGCONT')
  }

  await choose('Loaded')
  await hand.fill(text, 'k0000')
  await expectKeys(
    page,
    Array.from({ length: 10 }, (_, at) => bigKey(at)),
  )
  await choose('Range')
  await hand.fill(text, '/app/one/a')
  await hand.fill(page.getByTestId('search-end'), '/app/two/')
  await find()
  await expectKeys(page, ['/app/one/a', '/app/one/b'])
  await choose('Prefix')
  await hand.fill(text, '/app/t')
  await find()
  await expectKeys(page, under('/app/two/', ['c', 'x:1', 'x:2', 'y:1']))

  // In values, and by a regular expression.
  await choose('Contains')
  await choose('Values')
  await hand.fill(text, 'by col')
  await find()
  await expectKeys(page, under('/app/two/', ['x:1', 'x:2', 'y:1']))
  await hand.press(bar.getByRole('button', { name: 'Regular expression' }))
  await hand.fill(text, '^/app/.*c$')
  await find()
  await expectKeys(page, ['/app/two/c'])
  await choose('Keys')
  await hand.fill(text, '[xy]:1$')
  await find()
  await expectKeys(page, under('/app/two/', ['x:1', 'y:1']))
  await hand.fill(text, '(')
  await expect.poll(() => text.getAttribute('aria-invalid'), patience).toBe('true')
  await hand.press(bar.getByRole('button', { name: 'Regular expression' }))
  await hand.fill(text, '/app/t')
  if (hand.name === 'mouse') await hand.press(bar.getByRole('button', { name: 'Close the search' }))
  else {
    await reach(page, text)
    await page.keyboard.press('Escape')
  }
  await bar.waitFor({ state: 'detached', ...patience })
}

/** Orders that the columns of numbers give: every one by mouse, the other hand takes one of the server's and one of ours. */
const orders: Readonly<Record<Hand['name'], Readonly<Record<string, readonly string[]>>>> = {
  mouse: {
    'Create revision': ['b', 'a', 'c'],
    'Mod revision': ['b', 'c', 'a'],
    Version: ['c', 'b', 'a'],
    Size: ['a', 'c', 'b'],
  },
  keyboard: { 'Mod revision': ['b', 'c', 'a'], Size: ['a', 'c', 'b'] },
}

/** The orders of the columns, and each turned round. */
async function sort({ page, hand }: Walk): Promise<void> {
  await hand.showPrefix('/sort/')
  await expectKeys(page, under('/sort/', ['a', 'b', 'c']))
  for (const [name, keys] of Object.entries(orders[hand.name])) {
    await hand.press(page.getByRole('button', { name: `Sort by ${name}`, exact: true }))
    await expectKeys(page, under('/sort/', keys))
    await hand.press(page.getByRole('button', { name: `${name}, falling. Turn round` }))
    await expectKeys(page, under('/sort/', keys.toReversed()))
  }
  await hand.press(page.getByRole('button', { name: 'Sort by Key', exact: true }))
  await expectKeys(page, under('/sort/', ['a', 'b', 'c']))
  await hand.press(page.getByRole('button', { name: 'Key, rising. Turn round' }))
  await expectKeys(page, under('/sort/', ['c', 'b', 'a']))
  await hand.press(page.getByRole('button', { name: 'Key, falling. Turn round' }))
  await expectKeys(page, under('/sort/', ['a', 'b', 'c']))
}

/** To know every size everything is looked at, which is told and can be ended; columns that are not shown sort, too. */
async function sortLong({ page, hand, server }: Walk): Promise<void> {
  await hand.showPrefix('/sort/')
  await expectKeys(page, under('/sort/', ['a', 'b', 'c']))
  await runCommand(page, 'Keys: Sort by version')
  await expectKeys(page, under('/sort/', ['c', 'b', 'a']))
  await hand.showPrefix('/big/')
  await keyRow(page, bigKey(0)).waitFor(patience)
  const scan = page.getByTestId('scan')
  server.process.signal('SIGSTOP')
  try {
    await hand.press(page.getByRole('button', { name: 'Sort by Size', exact: true }))
    await scan.getByRole('progressbar').waitFor(patience)
    await keyRow(page, bigKey(0)).waitFor({ state: 'detached', ...patience })
    expect(await page.getByText('No keys under').count()).toBe(0)
    await hand.press(scan.getByRole('button', { name: 'Cancel' }))
    await scan.getByText('Cancelled; this is what was found so far.').waitFor(patience)
  } finally {
    server.process.signal('SIGCONT')
  }
  await hand.press(page.getByRole('button', { name: 'Sort by Key', exact: true }))
  await scan.waitFor({ state: 'detached', ...patience })
  await expectFoot(page, '1,000 of 20,000 rows loaded')
}

/** The tree does with its folders and keys what the list does. */
async function actInTree({ app, page, hand }: Walk): Promise<void> {
  await hand.showPrefix('/ap')
  await page.locator('datalist option[value="/app/"]').waitFor({ state: 'attached', ...patience })
  await hand.showPrefix('/app/')
  await folder(page, '/app/d').waitFor(patience)
  if (hand.name === 'keyboard') {
    const question = page.getByRole('alertdialog')
    await moveTo(page, page.getByRole('tree', { name: 'Key tree' }), '/app/one/')
    await page.keyboard.press('*')
    await folder(page, '/app/two/c').waitFor(patience)
    await page.keyboard.press('Delete')
    await question.getByText('Delete 2 keys under').waitFor(patience)
    await page.keyboard.press('Escape')
    await question.waitFor({ state: 'detached', ...patience })
    await moveTo(page, page.getByRole('tree', { name: 'Key tree' }), '/app/d')
    await page.keyboard.press('Delete')
    await question.getByRole('heading', { name: 'Delete 1 key of /app/d' }).waitFor(patience)
    await page.keyboard.press('Escape')
    await question.waitFor({ state: 'detached', ...patience })
  }
  await hand.takeFromFolder('/app/one/', 'New key here…')
  const dialog = page.getByRole('dialog', { name: 'New key' })
  const name = dialog.getByRole('textbox', { name: 'Key', exact: true })
  await expect.poll(() => name.inputValue(), patience).toBe('/app/one/')
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'detached', ...patience })
  await setClipboard(app, '')
  await hand.takeFromFolder('/app/d', 'Copy key')
  await expect.poll(() => clipboardText(app), patience).toBe('/app/d')
}

/** Several rows are chosen, copied, and deleted. */
async function chooseMany({ app, page, hand, other }: Walk): Promise<void> {
  const prefix = `/pick-${hand.name}/`
  await other.putAll(under(prefix, ['1', '2', '3', '4', '5', '6']).map((key) => [key, 'x']))
  await hand.showPrefix(prefix)
  await expectKeys(page, under(prefix, ['1', '2', '3', '4', '5', '6']))
  const chosen = async (text: string): Promise<void> => {
    await expect.poll(() => page.getByTestId('selected').allInnerTexts(), patience).toEqual([text])
  }
  const list = page.getByRole('region', { name: 'Keys', exact: true })
  const row = (name: string): Locator => keyRow(page, `${prefix}${name}`)
  if (hand.name === 'mouse') {
    await row('1').click()
    await row('3').click({ modifiers: ['Control'] })
    await chosen('2 selected of 6')
    await row('2').click()
    await row('4').click({ modifiers: ['Shift'] })
    await chosen('3 selected of 6')
  } else {
    await hand.openKey(`${prefix}1`)
    for (const key of ['Space', 'ArrowDown', 'ArrowDown', 'Space']) await page.keyboard.press(key)
    await chosen('2 selected of 6')
    const clear = list.getByRole('button', { name: 'Clear', exact: true })
    await hand.press(clear)
    await clear.waitFor({ state: 'detached', ...patience })
    await page.keyboard.press('Control+a')
    await chosen('6 selected of 6')
    await page.keyboard.press('Escape')
    await hand.openKey(`${prefix}2`)
    for (const key of ['Shift+ArrowDown', 'Shift+ArrowDown']) await page.keyboard.press(key)
    await chosen('3 selected of 6')
  }
  await setClipboard(app, '')
  if (hand.name === 'mouse')
    await hand.press(page.getByRole('button', { name: 'Copy', exact: true }))
  else await page.keyboard.press('Control+c')
  await expect.poll(() => clipboardText(app), patience).toContain(`${prefix}3`)
  const lines = (await clipboardText(app)).split('\n').filter((line) => line.startsWith(prefix))
  expect(lines.length).toBe(3)

  if (hand.name === 'mouse') await hand.press(list.getByRole('button', { name: 'Delete…' }))
  else await page.keyboard.press('Delete')
  await hand.confirm(page.getByRole('alertdialog'), 'Delete 3 keys')
  await page.getByTestId('plan-report').waitFor(patience)
  await page.keyboard.press('Escape')
  await expectKeys(page, under(prefix, ['1', '5', '6']))
}

/** Notes every key whose row flashed or faded, however short that was. */
async function noteEffects(page: Page): Promise<void> {
  await page.evaluate(`(() => {
    const seen = (window.seenEffects = new Set())
    const note = () => {
      for (const kind of ['flash', 'leaving'])
        for (const row of document.querySelectorAll('.keylist .tr.' + kind))
          seen.add(kind + ' ' + row.querySelector('.name')?.title)
    }
    window.effectsObserver?.disconnect()
    window.effectsObserver = new MutationObserver(note)
    const options = { subtree: true, childList: true, attributes: true, characterData: true }
    window.effectsObserver.observe(document.body, options)
  })()`)
}

const seenEffects = (page: Page): Promise<readonly string[]> =>
  page.evaluate('[...window.seenEffects]')

/** What another client does is seen as it happens. */
async function live({ page, hand, other }: Walk): Promise<void> {
  const prefix = `/live-${hand.name}/`
  await other.putAll(under(prefix, ['a', 'c']).map((key) => [key, 'first']))
  await hand.showPrefix(prefix)
  await expectKeys(page, under(prefix, ['a', 'c']))
  await noteEffects(page)
  await other.put(`${prefix}a`, 'second')
  await keyRow(page, `${prefix}a`).getByText('second').waitFor(patience)
  await other.put(`${prefix}b`, 'new')
  await expectKeys(page, under(prefix, ['a', 'b', 'c']))
  await other.delete(`${prefix}c`)
  await expectKeys(page, under(prefix, ['a', 'b']))
  const wanted = [`flash ${prefix}a`, `flash ${prefix}b`, `leaving ${prefix}c`]
  expect(await seenEffects(page)).toEqual(expect.arrayContaining(wanted))

  const isLive = page.getByRole('switch', { name: 'Live' })
  await hand.press(isLive)
  await other.put(`${prefix}d`, 'not watched')
  if (hand.name === 'mouse')
    await hand.press(page.getByRole('button', { name: 'Refresh', exact: true }))
  else await page.keyboard.press('F5')
  await expectKeys(page, under(prefix, ['a', 'b', 'd']))
  await hand.press(isLive)
  await other.put(`${prefix}e`, 'watched')
  await expectKeys(page, under(prefix, ['a', 'b', 'd', 'e']))
}

/** A key that is no text: made, found again and edited. */
async function keepBytes({ page, hand, other }: Walk): Promise<void> {
  const last = hand.name === 'mouse' ? 'fe' : 'fd'
  const shown = `/bin/\\xff\\x00\\x${last}`
  const bytes = Buffer.from(`2f62696e2fff00${last}`, 'hex')
  await hand.newKey()
  const dialog = page.getByRole('dialog', { name: 'New key' })
  await hand.choose(dialog.getByRole('radio', { name: 'Hex' }))
  await hand.fill(dialog.getByRole('textbox', { name: 'Key', exact: true }), bytes.toString('hex'))
  await dialog.getByText(`Shown in lists as ${shown}`).waitFor(patience)
  await hand.fill(dialog.getByRole('textbox', { name: 'Value', exact: true }), 'of bytes')
  await hand.confirm(dialog, 'Create key')
  await expectOpened(page, shown)
  expect((await other.find(bytes))?.value).toBe('of bytes')
  await hand.showPrefix(`/bin/\\xff\\x00\\x${last}`)
  await expectKeys(page, [shown])
  await hand.openKey(shown)
  await hand.edit()
  await page.getByText('Unchanged', { exact: true }).waitFor(patience)
  await hand.write('edited')
  await hand.save()
  await expect.poll(async () => (await other.find(bytes))?.value, patience).toBe('edited')
  await page.getByRole('button', { name: 'Edit', exact: true }).waitFor(patience)
}

/** Columns are taken away and come back. */
async function chooseColumns({ page, hand }: Walk): Promise<void> {
  await hand.showPrefix('/sort/')
  const header = page.getByRole('button', { name: 'Sort by Version', exact: true })
  await header.waitFor(patience)
  const opener = page.getByRole('button', { name: 'Columns', exact: true })
  const box = page.getByRole('checkbox', { name: 'Version', exact: true })
  const press = async (): Promise<void> => {
    if (hand.name === 'mouse') await box.click(patience)
    else {
      await reach(page, box)
      await page.keyboard.press('Space')
    }
  }
  await hand.press(opener)
  await press()
  await header.waitFor({ state: 'detached', ...patience })
  await press()
  await header.waitFor(patience)
  await page.keyboard.press('Escape')
  await box.waitFor({ state: 'detached', ...patience })
}

/** Presses the mouse at a place, moves it by some pixels, and lets go. */
async function drag(page: Page, from: { x: number; y: number }, byX: number): Promise<void> {
  await page.mouse.move(from.x, from.y)
  await page.mouse.down()
  await page.mouse.move(from.x + byX, from.y, { steps: 6 })
  await page.mouse.up()
}

async function boxOf(place: Locator): Promise<{ x: number; y: number; width: number }> {
  const box = await place.boundingBox(patience)
  if (box === null) throw new Error(`${place.toString()} has no place`)
  return box
}

/** A column is made wider and moved, and back: by its edge and its name, or by keys on its name. */
async function shapeColumn({ page, hand }: Walk): Promise<void> {
  const column = (name: string): Locator => page.locator(`.thead [data-column=${name}]`)
  const header = column('version')
  const order = (): Promise<readonly (string | null)[]> =>
    page
      .locator('.thead [data-column]')
      .evaluateAll((found) =>
        (found as unknown as { getAttribute(name: string): string | null }[]).map((one) =>
          one.getAttribute('data-column'),
        ),
      )
  const width = async (): Promise<number> =>
    Math.round((await header.boundingBox(patience))?.width ?? 0)
  await header.waitFor(patience)
  const [usualOrder, usualWidth] = [await order(), await width()]
  const at = usualOrder.indexOf('version')
  const moved = usualOrder.filter((name) => name !== 'version')
  moved.splice(at - 1, 0, 'version')
  if (hand.name === 'mouse') {
    const edge = await boxOf(header.locator('.sash'))
    await drag(page, { x: edge.x + 2, y: edge.y + 8 }, 40)
    await expect.poll(width, patience).toBe(usualWidth + 40)
    await header.locator('.sash').dblclick({ force: true, ...patience })
    await expect.poll(width, patience).toBe(usualWidth)
    const left = column(String(usualOrder[at - 1]))
    const [name, before] = [await boxOf(header), await boxOf(left)]
    await drag(page, { x: name.x + 30, y: name.y + 8 }, before.x + 4 - (name.x + 30))
    await expect.poll(order, patience).toEqual(moved)
    // A drag takes its own click, and not the sort by a key that follows it.
    await header.getByRole('button', { name: 'Sort by Version', exact: true }).press('Enter')
    await header.getByRole('button', { name: 'Version, falling. Turn round' }).waitFor(patience)
    await column('key').getByRole('button', { name: 'Sort by Key', exact: true }).press('Enter')
    await hand.press(page.getByRole('button', { name: 'Columns', exact: true }))
    await hand.press(page.getByRole('button', { name: 'Reset columns' }))
    await page.keyboard.press('Escape')
  } else {
    await reach(page, header.getByRole('button', { name: 'Sort by Version', exact: true }))
    await page.keyboard.press('Shift+ArrowRight')
    await expect.poll(width, patience).toBe(usualWidth + 16)
    await page.keyboard.press('Shift+ArrowLeft')
    await expect.poll(width, patience).toBe(usualWidth)
    await page.keyboard.press('Control+Shift+ArrowLeft')
    await expect.poll(order, patience).toEqual(moved)
    await page.keyboard.press('Control+Shift+ArrowRight')
  }
  await expect.poll(order, patience).toEqual(usualOrder)
}

/** F6 goes round the window, Shift and F6 back, and F1 tells what the keys do. */
async function goRound({ page, hand }: Walk): Promise<void> {
  const expectFocus = async (region: string): Promise<void> => {
    const focused = `document.activeElement?.closest('[data-region]')?.dataset.region`
    await expect.poll(() => page.evaluate<string | undefined>(focused), patience).toBe(region)
  }
  await hand.openKey('/sort/a')
  await page.getByTestId('fact-mod').waitFor(patience)
  for (const region of [
    ...['detail', 'inspector', 'status', 'title', 'activity', 'side', 'tabs', 'main', 'list'],
  ]) {
    await page.keyboard.press('F6')
    await expectFocus(region)
  }
  await page.keyboard.press('Shift+F6')
  await expectFocus('main')
  await page.keyboard.press('F1')
  const table = page.getByRole('dialog', { name: 'Keyboard shortcuts', exact: true })
  await hand.fill(table.getByRole('textbox', { name: 'Search actions and keys' }), 'F6')
  await expect
    .poll(() => table.locator('[data-command] td:first-child').allInnerTexts(), patience)
    .toEqual(['Next region', 'Previous region'])
  await page.keyboard.press('Escape')
  await table.waitFor({ state: 'detached', ...patience })
  await expectFocus('main')
}

/** Screens that no flow of theirs looks at closely. */
async function lookAround({ page, hand }: Walk): Promise<void> {
  await hand.showPrefix('/app/')
  await page.keyboard.press('Control+f')
  expect(await findViolations(page), 'key browser with its search').toEqual([])
  await page.keyboard.press('Escape')
  await hand.press(page.getByRole('button', { name: 'Columns', exact: true }))
  await page.getByRole('checkbox', { name: 'Version', exact: true }).waitFor(patience)
  expect(await findViolations(page, '.columns'), 'menu of columns').toEqual([])
  await page.keyboard.press('Escape')
  await page.keyboard.press('Control+k')
  await page.getByRole('dialog', { name: 'Command palette' }).waitFor(patience)
  expect(await findViolations(page), 'palette').toEqual([])
  await page.keyboard.press('Escape')
  await showView(page, 'Settings')
  await page.getByRole('region', { name: 'Appearance' }).waitFor(patience)
  expect(await findViolations(page), 'settings').toEqual([])
  await runCommand(page, 'Help: Welcome')
  await page.getByRole('heading', { level: 1 }).waitFor(patience)
  expect(await findViolations(page), 'welcome').toEqual([])
}

const flows = [
  ...[
    walkTree,
    actInTree,
    walkBig,
    search,
    sort,
    sortLong,
    chooseMany,
    live,
    keepBytes,
    chooseColumns,
    shapeColumn,
  ],
]
const flowsOf = { mouse: flows, keyboard: [...flows, goRound] }

/** One hand a server is what every run has time for; with this both hands walk on both. */
const hasTime = process.env['QUORATE_E2E_ALL_HANDS'] !== undefined
const usual = { etcd: 'keyboard', quorate: 'mouse' } as const

describe.runIf(isRealEtcdInstalled()).each(['etcd', 'quorate'] as const)('keys of %s', (kind) => {
  let place: Omit<Walk, 'hand'> | undefined
  let app: LaunchedApp | undefined
  const walk = (name: Hand['name']): Walk => {
    if (place === undefined) throw new Error('the window did not open')
    return { ...place, hand: name === 'mouse' ? mouseOf(place.app) : keyboardOf(place.app) }
  }
  beforeAll(async () => {
    pair ??= await ServerPair.start()
    const server = pair[kind]
    await fill(server)
    app = await launchApp({ flags: [`--connect=${server.clientUrl}`] })
    const { page } = app
    await page.getByTestId('prefix').waitFor(patience)
    place = { app, page, server, other: new OtherClient(await endpointsOf(page)) }
  })
  afterAll(async () => {
    place?.other.dispose()
    await app?.close()
    expect(app?.pageErrors ?? []).toEqual([])
  })

  test.each(hasTime ? (['mouse', 'keyboard'] as const) : [usual[kind]])(
    'are found and followed by %s',
    async (name) => {
      for (const flow of flowsOf[name]) await flow(walk(name))
    },
  )

  if (kind !== 'quorate') return
  test('stand on screens that shut nobody out', async () => {
    await lookAround(walk('mouse'))
  })
})
