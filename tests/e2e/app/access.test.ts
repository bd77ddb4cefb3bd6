/** Clusters that check users and certificates, and clusters that go away: what the window says then. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Locator, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { TestAuthority } from '../../helpers/certificates.ts'
import { etcdctl } from '../../helpers/etcdctl.ts'
import { isRealEtcdInstalled, freePorts, RealEtcdCluster } from '../../helpers/real-etcd.ts'
import { quoratedProgram, readyLine } from '../../helpers/quorated.ts'
import { ServerPair } from '../../helpers/server-pair.ts'
import { ServerProcess } from '../../helpers/server-process.ts'
import { closeDisplay, launchApp, type LaunchedApp } from './launch.ts'

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
    'put /secret/pin 1234',
    'user add root:r',
    'user grant-role root root',
    'user add alice:a',
    'role add reader',
    'role grant-permission reader --prefix=true readwrite /app/',
    'user grant-role alice reader',
    'auth enable',
  ]
  for (const command of commands) {
    const { code, stderr } = await etcdctl(command.split(' '), { endpoints })
    if (code !== 0) throw new Error(`${command}: ${stderr}`)
  }
}

describe.runIf(isRealEtcdInstalled())('a cluster that checks users', () => {
  let pair: ServerPair
  beforeAll(async () => {
    pair = await ServerPair.start()
    for (const server of pair.servers) await setUpUsers(server.endpoint)
  }, 60_000)
  afterAll(() => pair.dispose())

  test.each(['etcd', 'quorate'] as const)('%s lets a user see what is theirs', async (kind) => {
    const { clientUrl } = pair[kind]
    launched = await launchApp({ flags: [`--connect=${clientUrl}`] })
    const { page } = launched
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

    const denied = page.getByTestId('not-permitted')
    await denied.getByText('alice may not read all keys.').waitFor()
    await denied.getByRole('button', { name: '/app/', exact: true }).click()
    await page.locator('[aria-rowindex="1"] [title="/app/flag"]').waitFor()
    await expect.poll(() => page.getByText('1234').count()).toBe(0)

    // No keyring here: the password is not kept, and asked for again.
    await view(page, 'Connections')
    await itemOf(page, 'users').getByRole('button', { name: 'Disconnect', exact: true }).click()
    await itemOf(page, 'users').getByRole('button', { name: 'Connect', exact: true }).click()
    await itemOf(page, 'users').getByText('Its password is not known').waitFor()
    await itemOf(page, 'users').getByLabel('Password', { exact: true }).fill('a')
    await itemOf(page, 'users').getByRole('button', { name: 'Log in', exact: true }).click()
    await itemOf(page, 'users').getByText('Connected', { exact: true }).waitFor()
  })
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

describe.runIf(isRealEtcdInstalled())('a cluster that goes away and comes back', () => {
  test('keeps its rows in sight, says so, and goes on', async () => {
    const cluster = await RealEtcdCluster.start(1)
    const [member] = cluster.members
    try {
      const endpoints = cluster.clientUrls[0] ?? ''
      await etcdctl(['put', '/kept', 'x'], { endpoints })
      launched = await launchApp({ flags: [`--connect=${endpoints}`] })
      const { page } = launched
      const row = page.locator('[aria-rowindex="1"] .last').getByText('kept', { exact: true })
      await row.waitFor()
      await member?.signal('SIGKILL')
      const status = page.getByRole('status', { name: 'Status' })
      await status.getByText('Unreachable', { exact: true }).waitFor()
      await expect.poll(() => row.isVisible()).toBe(true)
      await member?.start()
      await status.getByText('Connected', { exact: true }).waitFor()
      await etcdctl(['put', '/later', 'y'], { endpoints })
      await page.locator('[aria-rowindex="2"] .last').getByText('later', { exact: true }).waitFor()
    } finally {
      cluster.stop()
    }
  })
})
