/** The two ways to use the window: the mouse, and the keyboard alone. A flow written for a hand is done by both. */

import type { ElementHandle, Locator, Page } from 'playwright-core'
import { expect } from 'vitest'
import type { LaunchedApp } from './launch.ts'
import { expectOpened, keyList, keyRow, patience, setClipboard } from './page-acts.ts'

/** One way of doing what a person does. */
export interface Hand {
  readonly name: 'mouse' | 'keyboard'
  /** Presses a button or a link. */
  press(target: Locator): Promise<void>
  /** Chooses one of few that are all visible. */
  choose(radio: Locator): Promise<void>
  /** Puts a text in place of what stands in a field. */
  fill(field: Locator, text: string): Promise<void>
  /** Chooses from a list that opens. */
  select(list: Locator, label: string): Promise<void>
  /** Shows the keys under a prefix. */
  showPrefix(prefix: string): Promise<void>
  /** Opens a key of the list. */
  openKey(key: string): Promise<void>
  /** Opens the menu of a key of the list, and takes one of its lines. */
  takeFromMenu(key: string, line: string): Promise<void>
  /** Opens the menu of a folder of the tree, and takes one of its lines. */
  takeFromFolder(folder: string, line: string): Promise<void>
  /** Puts a text in place of what stands in the focused editor of a value. */
  write(text: string): Promise<void>
  newKey(): Promise<void>
  edit(): Promise<void>
  save(): Promise<void>
  /** Does what an open dialog asks about, by its button of this name. */
  confirm(dialog: Locator, button: string | RegExp): Promise<void>
  /** Undoes the last write of the tab, once the window told it with this text: others may stand told beside it. */
  undo(told: string): Promise<void>
}

/** Where the focus goes in one round through the window at most. */
const tabStopsMax = 120

function isFocused(target: Locator): Promise<boolean> {
  return target.evaluate((element) => {
    const { ownerDocument } = element as unknown as { ownerDocument: { activeElement: unknown } }
    return ownerDocument.activeElement === element
  })
}

/** Where the focus is, seen from an element: on it, behind it, before it; or the element is there no longer. */
function focusFrom(target: ElementHandle): Promise<'here' | 'behind' | 'before' | 'elementIsGone'> {
  return target.evaluate((element) => {
    const node = element as unknown as {
      isConnected: boolean
      ownerDocument: { activeElement: unknown }
      compareDocumentPosition(place: unknown): number
    }
    const following = 4
    const { activeElement } = node.ownerDocument
    if (!node.isConnected) return 'elementIsGone'
    if (activeElement === node) return 'here'
    return (node.compareDocumentPosition(activeElement) & following) === 0 ? 'before' : 'behind'
  })
}

/**
 * Moves the focus to an element by Tab, or by Shift and Tab where that is nearer. The element is looked up once, and again
 * only when another one has taken its place, because looking it up by its name takes longer than a step.
 */
export async function reach(page: Page, target: Locator): Promise<void> {
  let element = await target.elementHandle(patience)
  const key = (await focusFrom(element)) === 'behind' ? 'Shift+Tab' : 'Tab'
  for (let step = 0; step < tabStopsMax; step++) {
    const focus = await focusFrom(element)
    if (focus === 'here') return
    if (focus === 'elementIsGone') element = await target.elementHandle(patience)
    else await page.keyboard.press(key)
  }
  throw new Error(`no way by ${key} to ${target.toString()}`)
}

const treeRow = (page: Page, folder: string): Locator =>
  page.getByRole('treeitem').filter({ has: page.getByTitle(folder, { exact: true }) })
const toast = (page: Page, text: string): Locator =>
  page.locator('.toast').filter({ hasText: text })
const activeRow = (page: Page, list: Locator): Locator => list.locator('.focus')

/** Pastes instead of typing, because an editor closes brackets by itself. */
async function pasteOverAll(app: LaunchedApp, text: string): Promise<void> {
  const { page } = app
  await setClipboard(app, text)
  await page.locator('.monaco-editor.focused').waitFor(patience)
  await page.keyboard.press('Control+a')
  await page.keyboard.press('Control+v')
}

/** A person with a mouse. */
export function mouseOf(app: LaunchedApp): Hand {
  const { page } = app
  const press = (target: Locator): Promise<void> => target.click(patience)
  return {
    name: 'mouse',
    press,
    // What is seen of some radios is their label.
    choose: (radio) =>
      press(radio.locator('xpath=ancestor-or-self::*[self::label or self::button][1]')),
    fill: (field, text) => field.fill(text, patience),
    select: async (list, label) => {
      await list.selectOption({ label }, patience)
    },
    showPrefix: async (prefix) => {
      await page.getByTestId('prefix').click(patience)
      await page.getByTestId('prefix').fill(prefix)
    },
    openKey: async (key) => {
      await keyRow(page, key).click(patience)
      await expectOpened(page, key)
    },
    takeFromMenu: async (key, line) => {
      await keyRow(page, key).click({ button: 'right', ...patience })
      const menu = page.getByRole('menu', { name: `Acts on ${key}`, exact: true })
      await menu.getByRole('menuitem', { name: line }).click(patience)
    },
    takeFromFolder: async (folder, line) => {
      await treeRow(page, folder).click({ button: 'right', ...patience })
      const menu = page.getByRole('menu', { name: `Acts on ${folder}`, exact: true })
      await menu.getByRole('menuitem', { name: line }).click(patience)
    },
    write: async (text) => {
      await page.locator('.monaco-editor.focused .view-lines').click(patience)
      await pasteOverAll(app, text)
    },
    newKey: () => press(page.getByRole('button', { name: 'New key', exact: true })),
    edit: () => press(page.getByRole('button', { name: /^(Edit|Create again)$/ })),
    save: () => press(page.getByRole('button', { name: 'Save', exact: true })),
    confirm: async (dialog, button) => {
      await dialog.getByRole('button', { name: button }).click(patience)
    },
    undo: (told) => press(toast(page, told).getByRole('button', { name: 'Undo', exact: true })),
  }
}

/** Moves through a list until the row with a name is the active one. */
export async function moveTo(page: Page, list: Locator, name: string): Promise<void> {
  await reach(page, list)
  await page.keyboard.press('Home')
  const rowsMax = 60
  for (let step = 0; step < rowsMax; step++) {
    const isThere = await activeRow(page, list).getByTitle(name, { exact: true }).count()
    if (isThere > 0) return
    await page.keyboard.press('ArrowDown')
  }
  throw new Error(`no way by arrow keys to ${name}`)
}

/** Opens the menu of the active row, and takes a line of it by its first letters and arrow keys. */
async function takeByKeys(page: Page, subject: string, line: string): Promise<void> {
  await page.keyboard.press('Shift+F10')
  const menu = page.getByRole('menu', { name: `Acts on ${subject}`, exact: true })
  const item = menu.getByRole('menuitem', { name: line })
  await item.waitFor(patience)
  const linesMax = 30
  for (let step = 0; step < linesMax && !(await isFocused(item)); step++) {
    await page.keyboard.press('ArrowDown')
  }
  await page.keyboard.press('Enter')
  await menu.waitFor({ state: 'detached', ...patience })
}

/** A person without a mouse. */
export function keyboardOf(app: LaunchedApp): Hand {
  const { page } = app
  const { keyboard } = page
  const press = async (target: Locator): Promise<void> => {
    await reach(page, target)
    await keyboard.press('Enter')
  }
  const type = async (field: Locator, text: string): Promise<void> => {
    await reach(page, field)
    await keyboard.press('Control+a')
    if (text === '') await keyboard.press('Delete')
    else await keyboard.insertText(text)
  }
  return {
    name: 'keyboard',
    press,
    choose: async (radio) => {
      const group = radio.locator('xpath=ancestor::*[@role="radiogroup"][1]')
      const chosen = group.locator('[tabindex="0"], input:checked')
      const hasChosen = (await chosen.count()) > 0
      await reach(page, hasChosen ? chosen : group.getByRole('radio').first())
      const radiosMax = 10
      for (let step = 0; step < radiosMax && !(await isFocused(radio)); step++) {
        await keyboard.press('ArrowRight')
      }
      await keyboard.press('Space')
      await expect.poll(() => radio.isChecked(), patience).toBe(true)
    },
    fill: type,
    select: async (list, label) => {
      await reach(page, list)
      await keyboard.type(label)
      await expect
        .poll(() => list.locator('option:checked').allInnerTexts(), patience)
        .toEqual([label])
    },
    showPrefix: async (prefix) => {
      await page.getByTestId('prefix').waitFor(patience)
      await keyboard.press('Control+l')
      await type(page.getByTestId('prefix'), prefix)
      await keyboard.press('Enter')
    },
    openKey: async (key) => {
      await keyRow(page, key).waitFor(patience)
      await moveTo(page, keyList(page), key)
      await keyboard.press('Enter')
      await expectOpened(page, key)
    },
    takeFromMenu: async (key, line) => {
      await keyRow(page, key).waitFor(patience)
      await moveTo(page, keyList(page), key)
      await takeByKeys(page, key, line)
    },
    takeFromFolder: async (folder, line) => {
      await treeRow(page, folder).waitFor(patience)
      await moveTo(page, page.getByRole('tree', { name: 'Key tree' }), folder)
      await takeByKeys(page, folder, line)
    },
    write: (text) => pasteOverAll(app, text),
    newKey: () => keyboard.press('Control+n'),
    edit: () => keyboard.press('Control+e'),
    save: () => keyboard.press('Control+s'),
    confirm: async (dialog, button) => {
      await dialog
        .getByRole('button', { name: button })
        .and(page.locator(':enabled'))
        .waitFor(patience)
      await keyboard.press('Control+Enter')
    },
    undo: async (told) => {
      await toast(page, told).waitFor(patience)
      await reach(page, keyList(page))
      await keyboard.press('Control+z')
    },
  }
}
