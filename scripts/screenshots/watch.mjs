/**
 * The watch pane: no watch yet, a new one, three watches over a day's changes, a transaction in one group, the details of
 * one change, and events that are saved.
 */
import { TextEncoder } from 'node:util'

export async function take({ page, shot, write }) {
  const watch = async (prefix) => {
    await page.getByRole('button', { name: 'New watch' }).first().click()
    await page.getByRole('textbox', { name: 'Key or prefix' }).fill(prefix)
    await page.getByRole('radio', { name: 'From the oldest kept' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Watch', exact: true }).click()
  }
  await page
    .getByRole('navigation', { name: 'Views' })
    .getByRole('button', { name: 'Watch', exact: true })
    .click()
  await page.getByText('No watches', { exact: true }).waitFor()
  await shot('states-watch-empty')
  await newWatch({ page, shot })
  for (const prefix of ['/app/checkout/', '/registry/', '/locks/']) await watch(prefix)
  await page.getByTestId('watch-event').first().waitFor()
  const put = (key, value) => ({
    kind: 'put',
    key: new TextEncoder().encode(key),
    value: new TextEncoder().encode(value),
  })
  for (let round = 1; round <= 40; round++) {
    const percent = 20 + round
    await write([
      put(
        '/app/checkout/flags/express-pay',
        JSON.stringify(
          { flag: 'express-pay', enabled: true, rollout: { percent, salt: 'c1f7a0' } },
          undefined,
          2,
        ),
      ),
    ])
    if (round % 4 === 0)
      await write([
        put(`/app/checkout/orders/2026-05-04-${String(8_200 + round)}`, '{"user":"u-20418"}'),
        put('/app/checkout/counters/orders', String(8_200 + round)),
        put('/locks/inventory/694d8a31f0c2e417', `inventory-worker-${String(round % 3)}`),
      ])
    await page.waitForTimeout(60)
  }
  const newest = await write([put('/app/checkout/flags/wallet', '{ "flag": "wallet" }')])
  await page
    .getByTestId('watch-list')
    .getByText(`r${String(newest)}`)
    .first()
    .waitFor()
  await page.getByRole('gridcell', { name: '/app/checkout/flags/express-pay' }).first().click()
  await page.getByTestId('watch-list').focus()
  await page.keyboard.press('ArrowRight')
  const settle = () => page.getByTestId('diff-count').waitFor()
  await shot('watch-events', { settle })
  await page.keyboard.press('Control+s')
  await page.getByRole('dialog', { name: 'Save events' }).waitFor()
  await shot('watch-save')
  await page.keyboard.press('Escape')
}

async function newWatch({ page, shot }) {
  await page.getByRole('button', { name: 'New watch' }).first().click()
  const dialog = page.getByRole('dialog', { name: 'New watch' })
  const field = (name) => dialog.getByRole('textbox', { name })
  await field('Key or prefix').fill('/app/checkout/flags/')
  await dialog.getByRole('radio', { name: 'From revision' }).click()
  await field('Revision').fill('r120')
  await field('Only keys that match (regular expression)').fill('-pay')
  await field('Name (optional)').fill('payment flags')
  await dialog.getByLabel('Colour 3').click()
  await shot('watch-new')
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'detached' })
}
