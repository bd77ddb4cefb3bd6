/** A million keys, as a tree of a thousand folders and as one flat list, in the midst of both. */

import { putKeys, startNode } from '../screenshots-node.mjs'

const keyCount = 1_000_000
const places = (number, width) => String(number).padStart(width, '0')
const services = [
  'checkout',
  'inventory',
  'orders',
  'payments',
  'search',
  'shipping',
  'users',
  'web',
]

export async function take({ page, openCluster, openPrefix, shot }) {
  const node = await startNode()
  try {
    await putKeys(node, { count: keyCount, keyOf, valueOf })
    const close = await openCluster({ url: node.url, name: 'orders-staging' })
    await openPrefix('/app/orders/shard-062/')
    await page.getByText('1,000 keys', { exact: true }).waitFor()
    const folder = page.getByRole('treeitem').filter({ has: page.getByText('shard-062') })
    await folder.first().waitFor()
    await page
      .getByRole('treeitem')
      .filter({ has: page.getByText('item-0000') })
      .first()
      .waitFor()
    await folder.first().click()
    await shot('keys-million-tree')
    await openPrefix('')
    await page.getByRole('radio', { name: 'Flat' }).click()
    const list = page.getByRole('grid', { name: 'Keys' })
    await list.evaluate((element) => {
      element.scrollTop = element.scrollHeight * 0.417
    })
    const settle = () =>
      list.locator('[aria-busy]').first().waitFor({ state: 'detached', timeout: 60_000 })
    await shot('keys-million-flat', { settle })
    await page.getByRole('radio', { name: 'Tree' }).click()
    await close()
  } finally {
    await node.dispose()
  }
}

function keyOf(at) {
  const shard = Math.floor(at / 1_000)
  const service = services[Math.floor(shard / 125)]
  return `/app/${service}/shard-${places(shard % 125, 3)}/item-${places(at % 1_000, 4)}`
}

function valueOf(at) {
  return JSON.stringify({ id: at, state: at % 7 === 0 ? 'held' : 'open', sum: (at * 37) % 9_973 })
}
