/** Clusters that check users and certificates: what the window says to those who may not. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Locator, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { TestAuthority } from '../../helpers/certificates.ts'
import { etcdctl } from '../../helpers/etcdctl.ts'
import { isRealEtcdInstalled, freePorts } from '../../helpers/real-etcd.ts'
import { quoratedProgram, readyLine } from '../../helpers/quorated.ts'
import { ServerPair } from '../../helpers/server-pair.ts'
import { ServerProcess } from '../../helpers/server-process.ts'
import { closeDisplay, launchApp, type LaunchedApp } from './launch.ts'
import { findViolations } from './page-acts.ts'

/** For a machine three times slower than the one that this was written on. */
const patience = { timeout: 30_000 }
/** Refusals that one walk through all screens may cost: a few for each. Who asks again and again needs hundreds. */
const refusalsMax = 80

let launched: LaunchedApp | undefined
let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'quorate-access-'))
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

const view = (page: Page, name: string): Promise<void> =>
  page.getByRole('navigation', { name: 'Views' }).getByRole('button', { name, exact: true }).click()

const field = (page: Page, name: string): Locator =>
  page.getByRole('textbox', { name, exact: true })

/** The item of the list of connections that stands for one address. */
const itemOf = (page: Page, name: string): Locator =>
  page.getByTestId('connection-item').and(page.getByRole('group', { name, exact: true }))

async function setUpUsers(endpoints: string): Promise<void> {
  const commands = [
    'put /app/flag on',
    'put /app/flag off',
    'put /look/only 1',
    'put /secret/pin 1234',
    'del /secret/pin',
    'put /secret/pin 1234',
    'user add root:r',
    'user grant-role root root',
    'user add alice:a',
    'role add reader',
    'role grant-permission reader --prefix=true readwrite /app/',
    'role grant-permission reader --prefix=true read /look/',
    'user grant-role alice reader',
    'auth enable',
  ]
  for (const command of commands) {
    const { code, stderr } = await etcdctl(command.split(' '), { endpoints })
    if (code !== 0) throw new Error(`${command}: ${stderr}`)
  }
}

const main = (page: Page): Locator => page.getByRole('main')
const denied = (page: Page): Locator => main(page).getByTestId('not-permitted')
const row = (page: Page, place: number): Locator =>
  page.getByRole('grid', { name: 'Keys' }).locator(`[aria-rowindex="${String(place)}"]`)

async function expectText(locator: Locator, text: string): Promise<void> {
  const look = async (): Promise<string> =>
    (await locator.innerText()).replaceAll('\u00a0', ' ').replaceAll('\n', '')
  await expect.poll(look, patience).toContain(text)
}

const expectDenied = (page: Page, range: string): Promise<void> =>
  expectText(denied(page), `alice may not read ${range}.`)

async function showPrefix(page: Page, prefix: string): Promise<void> {
  await page.getByTestId('prefix').fill(prefix)
  await page.getByTestId('prefix').press('Enter')
}

/** Runs a command by its words in the palette. */
async function runCommand(page: Page, words: string): Promise<void> {
  await page.keyboard.press('Control+k')
  await page.getByRole('combobox', { name: 'Command palette', exact: true }).fill(`>${words}`)
  await expectText(page.locator('#palette-0'), words)
  await page.keyboard.press('Enter')
}

/** List, tree, search and an older revision: each says who may not read what, and leads to what they may. */
async function readKeys(page: Page): Promise<void> {
  await expectDenied(page, 'all keys')
  const tree = page.getByRole('complementary', { name: 'Side bar' }).getByTestId('not-permitted')
  await expectText(tree, 'What alice may read')
  await expectText(tree, '/app/')
  expect(await findViolations(page)).toEqual([])
  await denied(page).getByRole('button', { name: '/app/', exact: true }).click()
  await expectText(row(page, 1), 'flag')
  await row(page, 1).click()
  await expectText(page.getByTestId('history-summary'), '2 readable versions')

  await showPrefix(page, '/secret/')
  await expectDenied(page, '/secret/')
  await page.keyboard.press('Control+f')
  await page.getByTestId('search-text').fill('pin')
  await page.getByTestId('search-text').press('Enter')
  await expectDenied(page, '/secret/')
  await expect.poll(() => page.getByTestId('scan').getByRole('button').count(), patience).toBe(0)
  await page.keyboard.press('Escape')
  await page.keyboard.press('Control+g')
  await page.getByTestId('revision-field').fill('3')
  await page.getByTestId('revision-field').press('Enter')
  await expectText(page.getByTestId('travel-banner'), 'Reading r3,')
  await expectDenied(page, '/secret/')
  await page.keyboard.press('Control+Shift+G')
  await page.getByTestId('travel-banner').waitFor({ state: 'detached', ...patience })
  await expectDenied(page, '/secret/')

  await page.getByRole('button', { name: /^All keys$/u }).click()
  await expectDenied(page, 'all keys')
  await tree.getByRole('button', { name: '/look/', exact: true }).click()
  await expectText(row(page, 1), 'only')
}

/** What may be read may not be written: nothing that was typed is lost, and nothing is tried twice. */
async function writeKeys(page: Page): Promise<void> {
  await row(page, 1).click()
  await expectText(page.getByTestId('detail-key'), '/look/only')
  await page.keyboard.press('Control+e')
  await page.locator('.monaco-editor.focused').waitFor(patience)
  await page.keyboard.type('mine')
  await page.getByText('Not saved', { exact: true }).waitFor(patience)
  await page.keyboard.press('Control+s')
  const key = page.getByRole('region', { name: 'Key', exact: true })
  await expectText(key.getByRole('alert'), 'Save /look/only')
  await expectText(key.getByRole('alert'), 'alice may not do that')
  await expectText(page.locator('.monaco-editor .view-lines').first(), 'mine')
  await key.getByRole('button', { name: 'Discard', exact: true }).click()
  await key.getByRole('button', { name: 'Delete…', exact: true }).click()
  await page.locator('dialog[open]').getByRole('button', { name: 'Delete key' }).click()
  await expectText(page.locator('.toasts'), 'The key was not deleted')
  await expectText(page.locator('.toasts'), 'permission denied for alice')

  await page.getByRole('grid', { name: 'Keys' }).focus()
  await page.keyboard.press('Delete')
  await page.getByTestId('plan-run').click()
  await expectText(page.getByTestId('plan-report'), '/look/only')
  await expectText(page.getByTestId('plan-report'), 'permission denied for alice')
  await page.locator('dialog[open]').getByRole('button', { name: 'Close', exact: true }).click()
}

async function moveKeys(page: Page): Promise<void> {
  // Chosen keys that may be read need no right to read all the others.
  await showPrefix(page, '/look/')
  await expectText(row(page, 1), 'only')
  await row(page, 1).click({ button: 'right' })
  await page.getByRole('menuitem', { name: 'Export…', exact: true }).click()
  await expectText(page.getByTestId('export-preview'), '/look/only')
  await page.keyboard.press('Escape')
  await page.getByTestId('export').waitFor({ state: 'detached', ...patience })

  await showPrefix(page, '/secret/')
  await expectDenied(page, '/secret/')
  await runCommand(page, 'Keys: Export')
  const failure = page.getByTestId('export').getByRole('alert')
  await expectText(failure, 'Write keys under /secret/')
  await expectText(failure, 'alice may not do that')
  await page.keyboard.press('Escape')
  await page.getByTestId('export').waitFor({ state: 'detached', ...patience })

  await runCommand(page, 'Keys: Import')
  const importing = page.getByTestId('import')
  await importing
    .getByRole('textbox', { name: 'Text to import' })
    .fill('[{"key": "/secret/new", "value": "1"}]')
  await importing.getByRole('button', { name: 'Show what it will do' }).click()
  const plan = page.locator('dialog[open]').getByRole('alert')
  await expectText(plan, 'permission denied for alice')
  await page.locator('dialog[open]').getByRole('button', { name: 'Close', exact: true }).click()
}

/** The screens beside the keys. */
async function lookElsewhere(page: Page): Promise<void> {
  await view(page, 'Deleted keys')
  await page.getByTestId('bin-prefix').fill('/secret/')
  await page.getByTestId('bin-prefix').press('Enter')
  await expectDenied(page, '/secret/')
  await denied(page).getByRole('button', { name: '/app/', exact: true }).click()
  await expectText(page.getByTestId('bin-state'), 'Live')

  await view(page, 'Watch')
  await page.getByRole('button', { name: 'New watch' }).first().click()
  await page.getByRole('textbox', { name: 'Key or prefix' }).fill('/secret/')
  await page.getByRole('dialog').getByRole('button', { name: 'Watch', exact: true }).click()
  await expectText(page.getByTestId('watch-item'), 'ended')
  await expectText(page.getByTestId('watch-item'), 'permission denied for alice')
  await expectDenied(page, '/secret/')
  expect(await findViolations(page)).toEqual([])
  await denied(page).getByRole('button', { name: '/app/', exact: true }).click()
  await expectText(page.getByTestId('watch-item'), '0 ev/s')

  await view(page, 'Queries')
  await page.getByTestId('query-run-button').waitFor(patience)
  await page.keyboard.press('Control+Shift+M')
  await page.getByRole('textbox', { name: 'Prefix' }).fill('/secret/')
  await page.keyboard.press('Control+Enter')
  for (const reading of ['linearizable', 'serializable']) {
    await expectText(page.locator(`[data-answer=${reading}]`), 'Read /secret/')
    await expectText(page.locator(`[data-answer=${reading}]`), 'alice may not do that')
  }

  await page.keyboard.press('Control+Shift+D')
  await page.getByTestId('compare-start').waitFor(patience)
  await page.getByLabel('Prefix on the left').fill('/secret/')
  await page.getByLabel('Prefix on the right').fill('/secret/')
  await page.getByLabel('Revision on the left').fill('2')
  await page.getByTestId('compare-start').click()
  await expectDenied(page, '/secret/')
  await denied(page).getByRole('button', { name: '/app/', exact: true }).click()
  await page.getByTestId('compare-method').waitFor(patience)
}

/** How often the server refused, by its own figures. */
async function countRefusals(clientUrl: string): Promise<number> {
  const text = await (await fetch(`${clientUrl}/metrics`)).text()
  return text
    .split('\n')
    .filter((line) => /^grpc_server_handled_total\{.*grpc_code="PermissionDenied"/u.test(line))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
}

describe.runIf(isRealEtcdInstalled())('a cluster that checks users', () => {
  let pair: ServerPair
  beforeAll(async () => {
    pair = await ServerPair.start()
    for (const server of pair.servers) await setUpUsers(server.endpoint)
  }, 60_000)
  afterAll(() => pair.dispose())

  test.each(['etcd', 'quorate'] as const)(
    '%s lets a user see what is theirs',
    { timeout: 120_000 },
    async (kind) => {
      const { clientUrl } = pair[kind]
      launched = await launchApp({ flags: [`--connect=${clientUrl}`] })
      const { page } = launched
      page.setDefaultTimeout(patience.timeout)
      // As nobody nothing can be read, and the window says what is missing.
      await page.getByText('This cluster lets in only users that it knows').waitFor()

      await view(page, 'Connections')
      await field(page, 'Endpoints').fill(clientUrl)
      await field(page, 'Name').fill('users')
      await field(page, 'User').fill('alice')
      await page.getByLabel('Password', { exact: true }).fill('wrong')
      await page.getByRole('button', { name: 'Connect', exact: true }).first().click()
      const blocked = page.getByTestId('blocked')
      await blocked.getByText('users does not let alice in').waitFor()
      await blocked.getByLabel('Password', { exact: true }).fill('a')
      await page.keyboard.press('Enter')
      await blocked.waitFor({ state: 'detached' })

      await readKeys(page)
      await writeKeys(page)
      await moveKeys(page)
      await lookElsewhere(page)
      await expect.poll(() => page.getByText('1234').count(), patience).toBe(0)
      const refusals = await countRefusals(clientUrl)
      expect(refusals).toBeGreaterThan(5)
      expect(refusals).toBeLessThan(refusalsMax)

      // No keyring here: the password is not kept, and asked for again.
      await view(page, 'Connections')
      await itemOf(page, 'users').getByRole('button', { name: 'Disconnect', exact: true }).click()
      await itemOf(page, 'users').getByRole('button', { name: 'Connect', exact: true }).click()
      await itemOf(page, 'users').getByText('Its password is not known').waitFor()
      await itemOf(page, 'users').getByLabel('Password', { exact: true }).fill('a')
      await itemOf(page, 'users').getByRole('button', { name: 'Log in', exact: true }).click()
      await itemOf(page, 'users').getByText('Connected', { exact: true }).waitFor()
    },
  )
})

/** A server that asks for certificates. */
async function startSecured(program: string): Promise<{
  readonly process: ServerProcess
  readonly url: string
  readonly files: readonly string[]
}> {
  const authority = await TestAuthority.create(folder)
  const server = await authority.issue('server', { hosts: ['localhost', '127.0.0.1'] })
  const user = await authority.issue('user', { commonName: 'alice', hosts: [] })
  const [clientPort, peerPort] = await freePorts(2)
  const url = `https://127.0.0.1:${String(clientPort)}`
  const peerUrl = `http://127.0.0.1:${String(peerPort)}`
  const process = new ServerProcess(program, {
    args: [
      '--name=n',
      `--data-dir=${mkdtempSync(join(folder, 'data-'))}`,
      `--listen-client-urls=${url}`,
      `--advertise-client-urls=${url}`,
      `--listen-peer-urls=${peerUrl}`,
      `--initial-advertise-peer-urls=${peerUrl}`,
      `--initial-cluster=n=${peerUrl}`,
      `--cert-file=${server.cert}`,
      `--key-file=${server.key}`,
      `--trusted-ca-file=${authority.certPath}`,
      '--client-cert-auth',
    ],
  })
  await process.waitForLine(readyLine)
  return { process, url, files: [authority.certPath, user.cert, user.key] }
}

describe.runIf(isRealEtcdInstalled())('a cluster that asks for certificates', () => {
  test.each([
    ['etcd', 'etcd'],
    ['quorate', quoratedProgram],
  ])('%s is reached with files chosen in a dialog', async (_kind, program) => {
    const secured = await startSecured(program)
    try {
      launched = await launchApp({ flags: [`--connect=${secured.url}`] })
      const { app, page } = launched
      await view(page, 'Connections')
      await itemOf(page, secured.url.replace('https://', '')).waitFor()
      // The dialog belongs to the operating system; it answers with one file after the other.
      await app.evaluate(({ dialog }, files) => {
        const left = [...files]
        dialog.showOpenDialog = () =>
          Promise.resolve({ canceled: false, filePaths: left.splice(0, 1) })
      }, secured.files)
      await field(page, 'Endpoints').fill(secured.url)
      await field(page, 'Name').fill('secured')
      await page.getByText('TLS', { exact: true }).click()
      for (const name of ['Authorities', 'Client certificate', 'Private key']) {
        await page.getByRole('button', { name: `${name}: Choose…` }).click()
        await page
          .getByRole('button', { name: /^Without / })
          .nth(0)
          .waitFor()
      }
      await expect.poll(() => page.getByRole('button', { name: /^Without / }).count()).toBe(3)
      await page.getByRole('button', { name: 'Connect', exact: true }).first().click()
      await page.getByText('No keys', { exact: true }).first().waitFor()
      await view(page, 'Connections')
      await itemOf(page, 'secured').getByText('Connected', { exact: true }).waitFor()
    } finally {
      await secured.process.kill()
    }
  })
})
