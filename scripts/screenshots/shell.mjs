/**
 * What belongs to no cluster alone: welcome, connections and the switch between them, writing to production that is
 * allowed, a password that is asked for, settings, the palette, and the shortcuts.
 */

import { checkUsers, putKeys, startNode } from '../screenshots-node.mjs'

/* global window -- inside of functions that run in the page */

export async function take(context) {
  await inKeyBrowser(context)
  await welcome(context)
  await settings(context)
  await connections(context)
  await logIn(context)
}

/** The palette and the shortcuts stand over the screen that they speak of. */
async function inKeyBrowser({ page, openPrefix, shot }) {
  await openPrefix('/app/checkout/flags/')
  await page
    .getByRole('row', { name: /express-pay/u })
    .first()
    .click()
  await page.locator('.monaco-editor .view-line').first().waitFor()
  await page.keyboard.press('Control+k')
  const palette = page.getByRole('dialog', { name: 'Command palette' })
  await palette.getByRole('combobox', { name: 'Command palette' }).fill('exp')
  await palette.getByRole('option').first().waitFor()
  await shot('shell-palette')
  await page.keyboard.press('Escape')
  await palette.waitFor({ state: 'detached' })
  await page.keyboard.press('F1')
  const table = page.getByRole('dialog', { name: 'Keyboard shortcuts' })
  await table.getByRole('row').nth(8).waitFor()
  await shot('shell-shortcuts')
  await page.keyboard.press('Escape')
  await table.waitFor({ state: 'detached' })
}

async function welcome({ page, shot }) {
  await page.keyboard.press('Control+k')
  await page.getByRole('combobox', { name: 'Command palette' }).fill('Help: Welcome')
  await page.getByRole('option').first().waitFor()
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Your cluster is running' }).waitFor()
  await shot('shell-welcome')
}

async function settings({ page, shot }) {
  await page.keyboard.press('Control+,')
  await page.getByRole('region', { name: 'Appearance' }).waitFor()
  await shot('shell-settings')
}

/** Beside the local cluster stand saved ones: the same nodes under other names. */
async function connections({ app, page, connectionId, shot }) {
  const saved = await openOthers(page, connectionId)
  await page.keyboard.press('Control+Shift+n')
  const items = page.getByTestId('connection-item')
  await items.nth(saved.length).waitFor()
  await items.getByText('Connected', { exact: true }).nth(2).waitFor()
  await fillForm(app, page)
  await shot('shell-connections')
  await unlock(page, shot)
  await switcher(page, shot)
  for (const id of saved)
    await page.evaluate((one) => window.bridge.connections.remove({ connectionId: one }), id)
}

async function unlock(page, shot) {
  const item = page.getByTestId('connection-item').filter({ hasText: 'checkout-prod-eu' })
  await item.getByRole('button', { name: 'Allow writing…' }).click()
  const asked = page.getByRole('alertdialog')
  await asked.getByTestId('unlock-name').fill('checkout-prod-eu')
  await shot('shell-unlock')
  await page.keyboard.press('Escape')
  await asked.waitFor({ state: 'detached' })
}

async function switcher(page, shot) {
  const opener = page.getByRole('button', { name: /^Connection .*, switch$/u })
  const options = page.locator('.n-dropdown-menu')
  const settle = async () => {
    if (await options.isVisible()) {
      await opener.click()
      await options.waitFor({ state: 'hidden' })
    }
    await opener.click()
    await options.waitFor()
  }
  await page
    .getByRole('navigation', { name: 'Views' })
    .getByRole('button', { name: 'Keys', exact: true })
    .click()
  await page.getByTestId('prefix').waitFor()
  await shot('shell-switcher', { settle })
  await page.keyboard.press('Escape')
}

/** A cluster that lets in only users, of which no password is known after a start. */
async function logIn({ openCluster, page, shot }) {
  const node = await startNode()
  try {
    await putKeys(node, { count: 6, keyOf: (at) => `/app/orders/${String(at)}`, valueOf: String })
    await checkUsers(node, '/app/orders/')
    const login = { user: 'alice', password: '', isKept: false }
    const close = await openCluster({ url: node.url, name: 'orders-eu', login })
    await page.getByTestId('blocked').waitFor()
    await shot('shell-log-in')
    await close()
  } finally {
    await node.dispose()
  }
}

function openOthers(page, connectionId) {
  return page.evaluate(async (id) => {
    const { connections } = window.bridge
    const all = await connections.list()
    const endpoints = all.value.find((one) => one.id === id).endpoints.map(({ url }) => url)
    const others = [
      { name: 'checkout-prod-eu', environment: 'production' },
      { name: 'checkout-staging', environment: 'staging' },
      { name: 'search-dev', environment: 'development', isClosed: true },
    ]
    const ids = []
    for (const { name, environment, isClosed } of others) {
      const opened = await connections.open({ endpoints, name, environment, isSaved: true })
      if (!opened.ok) throw new Error(opened.error.message)
      ids.push(opened.value.id)
      if (isClosed) await connections.close({ connectionId: opened.value.id })
    }
    return ids
  }, connectionId)
}

async function fillForm(app, page) {
  // The dialog belongs to the operating system; it answers with one file after the other.
  await app.evaluate(({ dialog }) => {
    const left = ['/etc/ssl/orders/ca.pem', '/etc/ssl/orders/client.pem', '/etc/ssl/orders/key.pem']
    dialog.showOpenDialog = () => Promise.resolve({ canceled: false, filePaths: left.splice(0, 1) })
  })
  const form = page.getByRole('region', { name: 'Connect to a cluster' })
  const field = (name) => form.getByRole('textbox', { name, exact: true })
  const hosts = [1, 2, 3].map((at) => `https://etcd-${String(at)}.orders.example:2379`)
  await field('Endpoints').fill(hosts.join('\n'))
  await field('Name').fill('orders-prod-eu')
  await form.getByRole('combobox', { name: 'Environment' }).selectOption('production')
  await field('User').fill('j.moreau')
  await form.getByLabel('Password', { exact: true }).fill('a long password')
  await form.getByText('TLS', { exact: true }).click()
  for (const [at, name] of ['Authorities', 'Client certificate', 'Private key'].entries()) {
    await form.getByRole('button', { name: `${name}: Choose…` }).click()
    await form
      .getByRole('button', { name: /^Without / })
      .nth(at)
      .waitFor()
  }
  await field('Name').focus()
}
