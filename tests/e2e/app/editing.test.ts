/** Keys made, written by two people at once, renamed, deleted, exported, imported: by mouse and by keyboard, on both servers. */

import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { OtherClient, type SeenKey } from '../../helpers/other-client.ts'
import { isRealEtcdInstalled, RealEtcdCluster } from '../../helpers/real-etcd.ts'
import { keyboardOf, mouseOf, type Hand } from './hands.ts'
import { closeDisplay, launchApp, type LaunchedApp } from './launch.ts'
import {
  answerFileDialogs,
  clipboardText,
  endpointsOf,
  expectOpened,
  findViolations,
  keyRow,
  patience,
  runCommand,
  setClipboard,
  valueText,
} from './page-acts.ts'

afterAll(closeDisplay)

/** Everything that one walk through the flows needs. */
interface Walk {
  readonly app: LaunchedApp
  readonly page: Page
  readonly hand: Hand
  /** Somebody else, and witness of what the cluster holds. */
  readonly other: OtherClient
  /** The walk's own keys. */
  readonly prefix: string
  /** The screens are the same for every hand and server; one walk looks at each element of them. */
  readonly looksClosely: boolean
  /** For files that go out and come in. */
  readonly directory: string
}

const dialogOf = (page: Page, name: string | RegExp): Locator => page.getByRole('dialog', { name })

async function expectValue(walk: Walk, key: string, value: string | undefined): Promise<void> {
  await expect.poll(async () => (await walk.other.find(key))?.value, patience).toBe(value)
}

async function findKey(walk: Walk, key: string): Promise<SeenKey> {
  const seen = await walk.other.find(key)
  if (seen === undefined) throw new Error(`${key} is not there`)
  return seen
}

/** Waits until the editor shows a value for reading. */
async function expectShown(page: Page, text: string): Promise<void> {
  await expect.poll(() => valueText(page), patience).toBe(text)
}

/** What is behind a dialog is out of reach. */
async function look(walk: Walk, place: string): Promise<void> {
  if (walk.looksClosely) expect(await findViolations(walk.page, 'dialog[open]'), place).toEqual([])
}

/** New keys: as text, with an editor for JSON, and one that exists already. */
async function createKeys(walk: Walk): Promise<void> {
  const { page, hand, prefix } = walk
  await hand.showPrefix(prefix)
  const dialog = dialogOf(page, 'New key')
  const name = dialog.getByRole('textbox', { name: 'Key', exact: true })
  await hand.newKey()
  await hand.fill(name, `${prefix}text`)
  await hand.fill(dialog.getByRole('textbox', { name: 'Value', exact: true }), 'ten won')
  await hand.confirm(dialog, 'Create key')
  await expectOpened(page, `${prefix}text`)
  await expectValue(walk, `${prefix}text`, 'ten won')
  await expectShown(page, 'ten won')

  await hand.newKey()
  await hand.fill(name, `${prefix}limits`)
  await hand.choose(dialog.getByRole('radio', { name: 'JSON', exact: true }))
  await hand.write('{"x":1,"y":1}')
  await look(walk, 'new key')
  await hand.confirm(dialog, 'Create key')
  await expectOpened(page, `${prefix}limits`)
  await expectValue(walk, `${prefix}limits`, '{"x":1,"y":1}')

  await hand.newKey()
  await hand.fill(name, `${prefix}text`)
  await hand.confirm(dialog, 'Create key')
  await dialog.getByText('This key exists already').waitFor(patience)
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'detached', ...patience })
  await expectValue(walk, `${prefix}text`, 'ten won')
}

async function begin(walk: Walk, text: string): Promise<void> {
  const { page, hand } = walk
  await hand.edit()
  await page.getByText('Unchanged', { exact: true }).waitFor(patience)
  await hand.write(text)
  await page.getByText('Not saved', { exact: true }).first().waitFor(patience)
}

/** An edit that nobody disturbs. */
async function editKey(walk: Walk): Promise<void> {
  const { page, hand, prefix } = walk
  const key = `${prefix}text`
  await hand.openKey(key)
  await begin(walk, 'twelve won')
  await hand.save()
  await expectValue(walk, key, 'twelve won')
  await expect.poll(() => page.getByTestId('fact-version').innerText(), patience).toBe('2')
  await expectShown(page, 'twelve won')
}

/** Somebody else writes while a text is being written: all that can be done then. */
async function meet(walk: Walk): Promise<void> {
  const { page, hand, other, prefix } = walk
  const key = `${prefix}limits`
  const notice = page.getByTestId('conflict')
  const merge = dialogOf(page, 'Merge two changes of a key?')
  const act = async (button: string, command: string): Promise<void> => {
    if (hand.name === 'mouse') await hand.press(notice.getByRole('button', { name: button }))
    else await runCommand(page, command)
  }
  await hand.openKey(key)

  // Fields that only one of the two changed go together.
  await begin(walk, '{"x":2,"y":1}')
  await other.put(key, '{"x":1,"y":3}')
  await notice.getByText('Both changes fit together.').waitFor(patience)
  await act('Merge…', 'Keys: Merge two changes…')
  await hand.confirm(merge, 'Merge and save')
  await expectValue(walk, key, '{"x":2,"y":3}')
  await notice.waitFor({ state: 'detached', ...patience })

  // The same field is changed by both: nothing is written before one of them is chosen.
  await begin(walk, '{"x":5,"y":3}')
  await other.put(key, '{"x":6,"y":3}')
  await notice.getByText('1 change meets another').waitFor(patience)
  await act('Merge…', 'Keys: Merge two changes…')
  await merge.getByRole('button', { name: 'Merge and save' }).waitFor(patience)
  expect(await merge.getByRole('button', { name: 'Merge and save' }).isDisabled()).toBe(true)
  await hand.choose(merge.getByRole('radio', { name: 'Use mine' }))
  await look(walk, 'merge')
  await hand.confirm(merge, 'Merge and save')
  await expectValue(walk, key, '{"x":5,"y":3}')
  await notice.waitFor({ state: 'detached', ...patience })

  await begin(walk, 'mine')
  await other.put(key, 'theirs')
  await notice.waitFor(patience)
  await act('Keep mine', 'Keys: Keep my change over theirs')
  await expectValue(walk, key, 'mine')
  await notice.waitFor({ state: 'detached', ...patience })

  await begin(walk, 'mine again')
  await other.put(key, 'theirs again')
  await notice.waitFor(patience)
  await act('Take theirs', 'Keys: Take their change')
  await expectShown(page, 'theirs again')
  await hand.press(page.getByRole('button', { name: 'Put mine back' }))
  await notice.waitFor(patience)
  await act('Keep mine', 'Keys: Keep my change over theirs')
  await expectValue(walk, key, 'mine again')
  await notice.waitFor({ state: 'detached', ...patience })

  // The key goes away under the text.
  await begin(walk, 'kept')
  await other.delete(key)
  await notice.getByText('Somebody else deleted this key').waitFor(patience)
  await act('Create again', 'Keys: Keep my change over theirs')
  await expectValue(walk, key, 'kept')
  await notice.waitFor({ state: 'detached', ...patience })
  expect((await findKey(walk, key)).version).toBe(1)
}

/** Another name, a copy, and both taken back. */
async function renameKey(walk: Walk): Promise<void> {
  const { page, hand, prefix } = walk
  const rename = dialogOf(page, 'Rename this key?')
  if (hand.name === 'mouse') await hand.takeFromMenu(`${prefix}text`, 'Rename…')
  else {
    await hand.openKey(`${prefix}text`)
    await page.keyboard.press('F2')
  }
  await hand.fill(rename.getByRole('textbox', { name: 'New name' }), `${prefix}named`)
  await hand.confirm(rename, 'Rename key')
  await expectOpened(page, `${prefix}named`)
  await expectValue(walk, `${prefix}named`, 'twelve won')
  await expectValue(walk, `${prefix}text`, undefined)
  await hand.undo(`Renamed to ${prefix}named`)
  await expectValue(walk, `${prefix}text`, 'twelve won')
  await expectValue(walk, `${prefix}named`, undefined)
  await keyRow(page, `${prefix}text`).waitFor(patience)

  const copy = dialogOf(page, 'Duplicate key')
  await hand.takeFromMenu(`${prefix}text`, 'Duplicate…')
  await hand.fill(copy.getByRole('textbox', { name: 'Key', exact: true }), `${prefix}copy`)
  await hand.confirm(copy, 'Create key')
  await expectValue(walk, `${prefix}copy`, 'twelve won')
  await expectOpened(page, `${prefix}copy`)
}

/** One key is deleted and put back. */
async function deleteKey(walk: Walk): Promise<void> {
  const { page, hand, prefix } = walk
  const key = `${prefix}copy`
  await hand.openKey(key)
  if (hand.name === 'mouse') {
    await hand.press(page.getByRole('region', { name: 'Key', exact: true }).getByText('Delete…'))
    await hand.press(page.getByRole('alertdialog').getByRole('button', { name: 'Delete key' }))
    await expectValue(walk, key, undefined)
    await hand.undo(`Deleted ${key}`)
  } else {
    await page.keyboard.press('Delete')
    await hand.confirm(page.getByRole('alertdialog'), 'Delete 1 key')
    await expectValue(walk, key, undefined)
    await hand.press(page.getByTestId('plan-undo'))
  }
  await expectValue(walk, key, 'twelve won')
  await keyRow(page, key).waitFor(patience)
}

/** A whole folder goes, after its number was typed, and comes back. */
async function deleteFolder(walk: Walk): Promise<void> {
  const { page, hand, other, prefix } = walk
  // Behind all others: what comes and goes in it moves no other row of the tree.
  const folder = `${prefix}zz-many/`
  const pairs = Array.from({ length: 120 }, (_, at) => [`${folder}${String(at)}`, `v${String(at)}`])
  await other.putAll(pairs as [string, string][])
  await hand.showPrefix(folder)
  await hand.takeFromFolder(folder, 'Delete all keys under it…')
  const question = page.getByRole('alertdialog', { name: `Delete 120 keys under ${folder}` })
  await question.waitFor(patience)
  await question.getByRole('grid', { name: 'Rows of the plan' }).getByTitle(`${folder}0`).waitFor()
  const run = page.getByTestId('plan-run')
  expect(await run.isDisabled()).toBe(true)
  await hand.fill(page.getByTestId('plan-typed'), '12')
  expect(await run.isDisabled()).toBe(true)
  await hand.fill(page.getByTestId('plan-typed'), '120')
  await hand.confirm(question, 'Delete 120 keys')
  await page.getByTestId('plan-report').waitFor(patience)
  expect(await other.stateOf(folder)).toEqual({})
  await hand.press(page.getByTestId('plan-undo'))
  await expect.poll(() => other.stateOf(folder), patience).toEqual(Object.fromEntries(pairs))
  await page.getByRole('dialog').waitFor({ state: 'detached', ...patience })
}

/** Everything under a folder gets other names, and has its own again. */
async function renameFolder(walk: Walk): Promise<void> {
  const { page, hand, other, prefix } = walk
  const [folder, named] = [`${prefix}old/`, `${prefix}other/`]
  const stateUnder = (place: string): Readonly<Record<string, string>> => ({
    [`${place}a`]: '1',
    [`${place}b/c`]: '2',
  })
  await other.putAll(Object.entries(stateUnder(folder)))
  await hand.showPrefix(folder)
  await hand.takeFromFolder(folder, 'Rename folder…')
  const rename = dialogOf(page, 'Rename everything under this prefix?')
  await hand.fill(rename.getByRole('textbox', { name: 'New prefix' }), named)
  await look(walk, 'rename a folder')
  await hand.confirm(rename, 'Preview…')
  await hand.confirm(page.getByRole('alertdialog'), 'Rename with 4 writes')
  await page.getByTestId('plan-report').waitFor(patience)
  expect(await other.stateOf(named)).toEqual(stateUnder(named))
  expect(await other.stateOf(folder)).toEqual({})
  await hand.press(page.getByTestId('plan-undo'))
  await expect.poll(() => other.stateOf(folder), patience).toEqual(stateUnder(folder))
  await expect.poll(() => other.stateOf(named), patience).toEqual({})
  await page.getByRole('dialog').waitFor({ state: 'detached', ...patience })
}

/** Takes a lease of the list by its id; what is left of it is part of its line. */
async function chooseLease(hand: Hand, dialog: Locator, lease: bigint): Promise<void> {
  const list = dialog.getByRole('combobox', { name: 'An existing lease' })
  const lines = (): Promise<readonly string[]> => list.locator('option').allInnerTexts()
  await expect.poll(async () => (await lines()).join(), patience).toContain(lease.toString(16))
  const line = (await lines()).find((text) => text.includes(lease.toString(16)))
  await hand.select(list, line ?? '')
}

/** A lease is granted, taken by a second key, and taken away again. */
async function useLeases(walk: Walk): Promise<void> {
  const { page, hand, other, prefix } = walk
  const key = `${prefix}copy`
  await hand.openKey(key)
  await hand.edit()
  const detail = page.getByRole('region', { name: 'Key', exact: true })
  const ways = detail.getByRole('combobox', { name: 'Lease', exact: true })
  await page.getByText('Unchanged', { exact: true }).waitFor(patience)
  // From here on Tab leaves the editor instead of writing a tab.
  if (hand.name === 'keyboard') await page.keyboard.press('Control+m')
  await hand.select(ways, 'A new lease')
  await hand.fill(detail.getByRole('spinbutton', { name: 'Time to live in seconds' }), '300')
  await hand.press(detail.getByRole('button', { name: 'Grant and choose' }))
  const listed = detail.getByRole('combobox', { name: 'An existing lease' })
  await listed.waitFor(patience)
  await hand.save()
  await expect.poll(async () => (await findKey(walk, key)).lease, patience).not.toBe(0n)
  const { lease } = await findKey(walk, key)
  expect(await other.grantedSecondsOf(lease)).toBe(300)
  await expect
    .poll(() => page.getByTestId('fact-lease').innerText(), patience)
    .toContain(lease.toString(16))

  await hand.newKey()
  const dialog = dialogOf(page, 'New key')
  await hand.fill(dialog.getByRole('textbox', { name: 'Key', exact: true }), `${prefix}leased`)
  await hand.select(
    dialog.getByRole('combobox', { name: 'Lease', exact: true }),
    'An existing lease',
  )
  await chooseLease(hand, dialog, lease)
  await hand.confirm(dialog, 'Create key')
  await expect.poll(async () => (await other.find(`${prefix}leased`))?.lease, patience).toBe(lease)

  await expectOpened(page, `${prefix}leased`)
  await hand.edit()
  await page.getByText('Unchanged', { exact: true }).waitFor(patience)
  await hand.select(ways, 'None')
  await hand.save()
  await expect.poll(async () => (await findKey(walk, `${prefix}leased`)).lease, patience).toBe(0n)

  // The same without opening the value.
  await hand.takeFromMenu(`${prefix}leased`, 'Lease…')
  const change = dialogOf(page, 'Change the lease of this key?')
  await hand.select(
    change.getByRole('combobox', { name: 'Lease', exact: true }),
    'An existing lease',
  )
  await chooseLease(hand, change, lease)
  await hand.confirm(change, 'Change lease')
  await expect
    .poll(async () => (await findKey(walk, `${prefix}leased`)).lease, patience)
    .toBe(lease)
  await hand.undo(`Lease changed: ${prefix}leased`)
  await expect.poll(async () => (await findKey(walk, `${prefix}leased`)).lease, patience).toBe(0n)
}

/** What was exported in each format comes back as the same keys, elsewhere. */
async function moveKeys(walk: Walk): Promise<void> {
  const { app, page, hand, other, prefix, directory } = walk
  const folder = `${prefix}a-out/`
  const pairs: readonly [string, string][] = [
    [`${folder}a`, 'plain'],
    [`${folder}b`, '{"json":"a \\"quoted\\" text"}'],
    [`${folder}c`, "two\nlines, an 'apostrophe', $HOME, 한국어"],
  ]
  await other.putAll(pairs)
  await hand.showPrefix(folder)
  // Each hand takes two of the four formats; the ways through the dialogs are the same.
  const formats = { mouse: ['JSON', 'dotenv'], keyboard: ['YAML', 'etcdctl'] }
  for (const format of formats[hand.name]) {
    const path = join(directory, `${hand.name}-${format}`)
    await answerFileDialogs(app, path)
    await hand.takeFromFolder(folder, 'Export what is under it…')
    const exported = dialogOf(page, `Export keys under ${folder}`)
    await hand.choose(exported.getByRole('radio', { name: format, exact: true }))
    await expect
      .poll(() => exported.getByTestId('export-preview').innerText(), patience)
      .toContain('plain')
    if (format === 'JSON') await look(walk, 'export')
    await hand.confirm(exported, 'Export to file…')
    await exported.waitFor({ state: 'detached', ...patience })
    await expect.poll(() => readFileSync(path, 'utf8'), patience).toContain('한국어')

    const target = `${prefix}in-${format}/`
    if (hand.name === 'mouse') await hand.takeFromFolder(folder, 'Import under it…')
    else await runCommand(page, 'Keys: Import…')
    const imported = dialogOf(page, 'Import keys')
    await hand.press(imported.getByRole('button', { name: 'Open a file…' }))
    await hand.fill(imported.getByRole('textbox', { name: 'Take away' }), folder)
    await hand.fill(imported.getByRole('combobox', { name: 'Put under' }), target)
    await expect
      .poll(() => imported.getByTestId('import-count').innerText(), patience)
      .toContain('3 keys read')
    await hand.confirm(imported, 'Show what it will do')
    const question = page.getByRole('alertdialog')
    await hand.confirm(question, 'Import 3 keys')
    await page.getByTestId('plan-report').waitFor(patience)
    expect(await other.stateOf(target)).toEqual(
      Object.fromEntries(pairs.map(([key, value]) => [key.replace(folder, target), value])),
    )
    await page.keyboard.press('Escape')
    await page.getByTestId('plan-report').waitFor({ state: 'detached', ...patience })
  }
}

/** Pasted lines, some of them wrong, over keys that exist. */
async function pasteKeys(walk: Walk): Promise<void> {
  const { page, hand, other, prefix } = walk
  const folder = `${prefix}pasted/`
  await other.putAll([[`${folder}old`, 'as it was']])
  await hand.showPrefix(prefix)
  await runCommand(page, 'Keys: Import…')
  const imported = dialogOf(page, 'Import keys')
  const lines = [
    `{"key":"${folder}old","value":"over"}`,
    `{"key":"${folder}new","value":"1"}`,
    '{"value":"nameless"}',
  ]
  await hand.fill(imported.getByRole('textbox', { name: 'Text to import' }), lines.join('\n'))
  await imported.getByText('Line 3: an entry without a key').waitFor(patience)
  await look(walk, 'import')
  await hand.choose(imported.getByRole('radio', { name: 'Overwrite' }))
  await hand.confirm(imported, 'Show what it will do')
  const question = page.getByRole('alertdialog')
  await question
    .getByRole('grid', { name: 'Rows of the plan' })
    .getByText('update')
    .waitFor(patience)
  await question.getByTestId('plan-run').waitFor()
  if (await page.getByTestId('plan-typed').isVisible())
    await hand.fill(page.getByTestId('plan-typed'), '2')
  await hand.confirm(question, 'Import 2 keys')
  await page.getByTestId('plan-report').waitFor(patience)
  expect(await other.stateOf(folder)).toEqual({ [`${folder}old`]: 'over', [`${folder}new`]: '1' })
  await page.keyboard.press('Escape')
  await page.getByTestId('plan-report').waitFor({ state: 'detached', ...patience })
}

/** A line as somebody would paste it into a terminal. */
async function runInShell(line: string): Promise<string> {
  const env = { PATH: process.env['PATH'] ?? '', ETCDCTL_API: '3' }
  const { stdout } = await promisify(execFile)('bash', ['-c', line], { env })
  return stdout
}

/** What is copied as a command does in a terminal what it says. */
async function copyCommands(walk: Walk): Promise<void> {
  const { app, hand, other, page, prefix } = walk
  const key = `${prefix}it's $odd`
  await other.put(key, 'a "value"\nof $two lines')
  await hand.showPrefix(`${prefix}it`)
  await keyRow(page, key).waitFor(patience)
  const copied = async (line: string, verb: string): Promise<string> => {
    await setClipboard(app, '')
    await hand.takeFromMenu(key, line)
    await expect.poll(() => clipboardText(app), patience).toContain(`etcdctl --endpoints=`)
    const text = await clipboardText(app)
    expect(text).toContain(` ${verb} `)
    return text
  }
  const get = await copied('Copy as etcdctl get', 'get')
  expect(await runInShell(get)).toBe(`${key}\na "value"\nof $two lines\n`)
  const put = await copied('Copy as etcdctl put', 'put')
  await other.put(key, 'another')
  await runInShell(put)
  await expectValue(walk, key, 'a "value"\nof $two lines')
  // The line about the head goes on working when what was current then is compacted.
  const revision = await other.put(`${prefix}behind`, 'x')
  await runInShell(get.replace(/ get [\s\S]*$/u, ` compaction ${String(revision)}`))
  expect(await runInShell(await copied('Copy as etcdctl get', 'get'))).toBe(
    `${key}\na "value"\nof $two lines\n`,
  )
  await runInShell(await copied('Copy as etcdctl del', 'del'))
  await expectValue(walk, key, undefined)
}

const flows = [
  ...[
    createKeys,
    editKey,
    meet,
    renameKey,
    deleteKey,
    useLeases,
    deleteFolder,
    renameFolder,
    moveKeys,
    pasteKeys,
  ],
  ...(isRealEtcdInstalled() ? [copyCommands] : []),
]

/** One hand a server is what every run has time for; with this both hands walk on both. */
const hasTime = process.env['QUORATE_E2E_ALL_HANDS'] !== undefined || !isRealEtcdInstalled()

describe.each([
  ...(isRealEtcdInstalled() ? [{ server: 'a real etcd', isOurs: false, usual: 'keyboard' }] : []),
  { server: 'our own node', isOurs: true, usual: 'mouse' },
])('editing on $server', ({ isOurs, usual }) => {
  const directory = mkdtempSync(join(tmpdir(), 'quorate-editing-'))
  let cluster: RealEtcdCluster | undefined
  let app: LaunchedApp | undefined
  let other: OtherClient | undefined
  beforeAll(async () => {
    if (!isOurs) cluster = await RealEtcdCluster.start(1)
    const urls = cluster?.clientUrls ?? []
    app = await launchApp({ flags: [isOurs ? '--playground=1' : `--connect=${urls.join(',')}`] })
    await app.page.getByTestId('prefix').waitFor(patience)
    other = new OtherClient(await endpointsOf(app.page))
  })
  afterAll(async () => {
    other?.dispose()
    await app?.close()
    cluster?.stop()
    rmSync(directory, { recursive: true, force: true })
    expect(app?.pageErrors ?? []).toEqual([])
  })

  test.each(hasTime ? ['mouse', 'keyboard'] : [usual])(
    'keys live their lives by %s',
    async (name) => {
      if (app === undefined || other === undefined) throw new Error('the window did not open')
      const hand = name === 'mouse' ? mouseOf(app) : keyboardOf(app)
      const looksClosely = isOurs && name === 'mouse'
      const walk = {
        app,
        page: app.page,
        hand,
        other,
        prefix: `/${name}/`,
        looksClosely,
        directory,
      }
      for (const flow of flows) await flow(walk)
    },
  )
})
