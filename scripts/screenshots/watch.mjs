/** The watch pane: three watches over a day's changes, a transaction in one group, and the details of one change. */
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
        JSON.stringify({
          flag: 'express-pay',
          enabled: true,
          rollout: { percent, salt: 'c1f7a0' },
        }),
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
  await page.getByRole('gridcell', { name: '/app/checkout/flags/express-pay' }).first().click()
  await page.getByTestId('watch-list').focus()
  await page.keyboard.press('ArrowRight')
  const settle = () => page.getByTestId('diff-count').waitFor()
  await shot('watch-events', { settle })
}
