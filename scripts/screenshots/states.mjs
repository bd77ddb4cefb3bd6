/** What stands where rows would: nothing there, nothing found, not permitted, compacted, on its way, and a lost cluster. */

import { checkUsers, putKeys, startNode } from '../screenshots-node.mjs'

const names = [
  'apple-pay',
  'express-pay',
  'gift-cards',
  'invoice-b2b',
  'new-address-form',
  'wallet',
]
const keyOf = (at) =>
  at < names.length
    ? `/app/checkout/flags/${names[at]}`
    : `/app/checkout/sessions/${at.toString(16).padStart(4, '0')}`
const valueOf = (at) => JSON.stringify({ at, enabled: at % 2 === 0, percent: (at * 5) % 100 })

export async function take(context) {
  const open = await startNode()
  const closed = await startNode()
  try {
    await putKeys(open, { count: 90, keyOf, valueOf })
    await putKeys(closed, { count: 90, keyOf, valueOf })
    await checkUsers(closed, '/app/checkout/flags/')
    await refused(context, closed)
    const close = await context.openCluster({
      ...{ url: open.url, name: 'checkout-staging', environment: 'staging' },
    })
    await nothing(context)
    await compacted(context, open)
    await away(context, open)
    await close()
  } finally {
    open.child.kill('SIGCONT')
    await open.dispose()
    await closed.dispose()
  }
}

async function refused({ page, openCluster, shot }, node) {
  const close = await openCluster({
    ...{ url: node.url, name: 'orders-eu', environment: 'development' },
    login: { user: 'alice', password: 'alice', isKept: false },
  })
  await page.getByRole('main').getByTestId('not-permitted').waitFor()
  await page.getByRole('main').getByText('/app/checkout/flags/').waitFor()
  await shot('states-refused')
  await close()
}

async function nothing({ page, openPrefix, shot }) {
  await openPrefix('/app/checkout/returns/', { isEmpty: true })
  await page.getByText('No keys under').waitFor()
  await shot('states-empty')
  await openPrefix('/app/checkout/flags/')
  await page.keyboard.press('Control+f')
  await page.getByTestId('search-text').fill('sessions/001f')
  await page.keyboard.press('Enter')
  await page.getByRole('button', { name: 'Search all keys' }).waitFor()
  await shot('states-nothing-found')
  await page.keyboard.press('Escape')
}

/** The revision that a tab reads is compacted by somebody else. */
async function compacted({ page, openPrefix, shot }, node) {
  for (let round = 0; round < 6; round++) await putKeys(node, { count: 20, keyOf, valueOf })
  await openPrefix('/app/checkout/')
  await page.keyboard.press('Control+g')
  const field = page.getByTestId('revision-field')
  await field.fill('3')
  await field.press('Enter')
  await page.getByTestId('travel-banner').getByText('r3').waitFor()
  await node.post('kv/compaction', { revision: '6' })
  await page.keyboard.press('F5')
  await page.getByText('That revision is gone').waitFor()
  await shot('states-compacted')
  await page.getByTestId('travel-banner').getByRole('button', { name: 'Back to head' }).click()
  await page.getByTestId('travel-banner').waitFor({ state: 'detached' })
  await page.getByRole('button', { name: 'Close the timeline' }).click()
}

/** The node stands still: first nothing comes, then the window says so. */
async function away({ page, openPrefix, shot }, node) {
  await openPrefix('/app/checkout/flags/')
  await page
    .getByRole('row', { name: /express-pay/u })
    .first()
    .click()
  await page.locator('.monaco-editor .view-line').first().waitFor()
  node.child.kill('SIGSTOP')
  await page.getByTestId('lost').waitFor({ timeout: 60_000 })
  await shot('states-lost')
  // Asked anew for each picture: after a while the window tells that nothing came.
  const settle = async () => {
    await openPrefix('/app/', { isEmpty: true })
    await openPrefix('/app/checkout/sessions/', { isEmpty: true })
  }
  await shot('states-loading', { settle })
  node.child.kill('SIGKILL')
  await openPrefix('/app/checkout/', { isEmpty: true })
  await page
    .getByRole('main')
    .getByRole('button', { name: 'Try again' })
    .waitFor({ timeout: 60_000 })
  await shot('states-error')
}
