/**
 * What the views beside the key browser show where there is nothing, where it may not be read, and where reading failed:
 * deleted keys, comparisons, watches, a deleted key, ranges, and a tab without its cluster.
 */

import { checkUsers, putKeys, startNode } from '../screenshots-node.mjs'

const keyOf = (at) => `/app/checkout/sessions/${at.toString(16).padStart(4, '0')}`
const valueOf = (at) => JSON.stringify({ cart: at, seenAt: 1_777_800_000 + at })
const base64 = (text) => Buffer.from(text).toString('base64')

export async function take(context) {
  const open = await startNode()
  const closed = await startNode()
  try {
    await putKeys(open, { count: 60, keyOf, valueOf })
    await putKeys(closed, { count: 60, keyOf, valueOf })
    await checkUsers(closed, '/app/checkout/sessions/')
    await refused(context, closed)
    const cluster = { url: open.url, name: 'checkout-staging', environment: 'staging' }
    const close = await context.openCluster(cluster)
    await nothing(context)
    await same(context)
    await deleted(context, open)
    await compacted(context, open)
    await away(context, open)
    await close()
    await context.page.getByTestId('tab-gate').waitFor()
    await context.shot('states-disconnected')
  } finally {
    open.child.kill('SIGCONT')
    await open.dispose()
    await closed.dispose()
  }
}

const view = (page, name) =>
  page.getByRole('navigation', { name: 'Views' }).getByRole('button', { name, exact: true }).click()

async function showBin(page, prefix) {
  await view(page, 'Deleted keys')
  const field = page.getByTestId('bin-prefix')
  await field.fill(prefix)
  await field.press('Enter')
}

async function newWatch(page, prefix) {
  await page.getByRole('button', { name: 'New watch' }).first().click()
  const dialog = page.getByRole('dialog', { name: 'New watch' })
  await dialog.getByRole('textbox', { name: 'Key or prefix' }).fill(prefix)
  await dialog.getByRole('button', { name: 'Watch', exact: true }).click()
  await dialog.waitFor({ state: 'detached' })
}

/** Who may read one prefix asks for more. */
async function refused({ page, openCluster, shot }, node) {
  const close = await openCluster({
    ...{ url: node.url, name: 'orders-eu', environment: 'development' },
    login: { user: 'alice', password: 'alice', isKept: false },
  })
  const main = page.getByRole('main')
  await showBin(page, '/app/payments/')
  await main.getByTestId('not-permitted').waitFor()
  await shot('states-bin-refused')
  await view(page, 'Watch')
  await newWatch(page, '/app/payments/')
  await main.getByTestId('not-permitted').waitFor()
  await shot('states-watch-refused')
  await close()
}

/** Nothing was deleted, and nothing happens. */
async function nothing({ page, shot }) {
  await showBin(page, '/app/checkout/')
  await page.getByText(/^No deleted keys/u).waitFor()
  await shot('states-bin-empty')
  await view(page, 'Watch')
  await newWatch(page, '/app/checkout/sessions/')
  await page.getByText('Waiting for changes').waitFor()
  await shot('states-watch-waiting')
}

/** A comparison that was not begun, and one of two sides that are the same. */
async function same({ page, openPrefix, shot }) {
  await openPrefix('/app/checkout/sessions/')
  await page.keyboard.press('Control+Shift+D')
  await page.getByTestId('compare-start').waitFor()
  await shot('states-compare-idle')
  await page.getByTestId('compare-start').click()
  await page.getByTestId('compare-method').waitFor()
  await shot('states-compare-same')
}

/** Somebody else deletes the key that is open. */
async function deleted({ page, openPrefix, shot }, node) {
  await openPrefix('/app/checkout/sessions/')
  await page.getByRole('row', { name: /0007/u }).first().click()
  await page.locator('.monaco-editor .view-line').first().waitFor()
  await node.post('kv/deleterange', { key: base64(keyOf(7)) })
  await page.getByRole('main').getByText('deleted', { exact: false }).first().waitFor()
  await shot('states-key-deleted')
  await page.getByRole('button', { name: 'Close this key' }).click()
}

/** What was asked for was compacted away. */
async function compacted({ page, openPrefix, shot }, node) {
  for (let round = 0; round < 6; round++) await putKeys(node, { count: 20, keyOf, valueOf })
  await node.post('kv/compaction', { revision: '6' })
  await openPrefix('/app/checkout/sessions/')
  await page.keyboard.press('Control+Shift+D')
  await page.getByLabel('Revision on the left').fill('r3')
  await page.getByTestId('compare-start').click()
  await page
    .getByRole('button', { name: /^Read r/u })
    .or(page.getByText('compacted away'))
    .first()
    .waitFor()
  await shot('states-compare-compacted')
  await view(page, 'Queries')
  await page.getByRole('radio', { name: 'Range' }).click()
  await page.getByLabel('Which keys').first().selectOption('prefix')
  await page.getByRole('textbox', { name: 'Prefix' }).fill('/app/checkout/')
  await page.getByRole('textbox', { name: 'At revision' }).fill('3')
  await page.getByTestId('query-run-button').click()
  await page.getByRole('main').getByText('compacted', { exact: false }).first().waitFor()
  await shot('states-query-compacted')
}

/** The node stands still under a watch, then it is gone while deleted keys are read. */
async function away({ page, shot }, node) {
  await view(page, 'Watch')
  await page.getByTestId('watch-event').first().waitFor()
  node.child.kill('SIGSTOP')
  await page.getByTestId('lost').waitFor({ timeout: 60_000 })
  await shot('states-watch-lost')
  node.child.kill('SIGKILL')
  await showBin(page, '/app/checkout/sessions/')
  await page
    .getByRole('main')
    .getByRole('button', { name: 'Try again' })
    .waitFor({ timeout: 60_000 })
  await shot('states-bin-error')
}
