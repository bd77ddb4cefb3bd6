/** Deleted keys with the last value of one, the plan that restores a whole prefix, and what was written by plans. */
export async function take({ page, write, headRevision, shot }) {
  const encoder = new TextEncoder()
  const key = (name) => encoder.encode(`/app/checkout/${name}`)
  const sessions = Array.from(
    { length: 14 },
    (_, number) => `sessions/${String(4711 + number * 37)}`,
  )
  await write(
    sessions.map((name) => ({
      kind: 'put',
      key: key(name),
      value: encoder.encode(JSON.stringify({ cart: name.slice(-4), items: 3, currency: 'EUR' })),
    })),
  )
  const wallet = {
    flag: 'pay-later',
    enabled: true,
    rollout: { strategy: 'percentage', percent: 15 },
  }
  await write([
    {
      kind: 'put',
      key: key('flags/pay-later'),
      value: encoder.encode(JSON.stringify(wallet, undefined, 2)),
    },
    { kind: 'put', key: key('limits/pay-later'), value: encoder.encode('25000') },
  ])
  const before = await headRevision()
  const remove = (name) => ({ kind: 'delete', range: { kind: 'key', key: key(name) } })
  await write(sessions.slice(0, 4).map(remove))
  await write([remove(sessions[7])])
  await write([remove('flags/pay-later'), remove('limits/pay-later')])
  await write(sessions.slice(4, 7).map(remove))
  const cart = encoder.encode(JSON.stringify({ cart: 'empty' }))
  const later = [...sessions.slice(9, 12), 'sessions/9001', 'sessions/9002']
  await write(later.map((name) => ({ kind: 'put', key: key(name), value: cart })))

  await page
    .getByRole('navigation', { name: 'Views' })
    .getByRole('button', { name: 'Deleted keys', exact: true })
    .click()
  await page.getByTestId('bin-prefix').fill('/app/checkout/')
  await page.getByTestId('bin-prefix').press('Enter')
  const row = page.getByRole('grid', { name: 'Deleted keys' }).getByText('flags/pay-later')
  await row.click()
  await page.getByTestId('bin-together').waitFor()
  const settle = async () => {
    await page.getByTestId('bin-detail').locator('.view-line').first().waitFor()
  }
  await shot('plans-bin', { settle })
  await page.getByRole('button', { name: 'Restore prefix to a revision…' }).click()
  await page.getByTestId('restore-revision').fill(String(before))
  await shot('plans-restore')
  await page.getByRole('button', { name: 'Preview…' }).click()
  await page.getByTestId('plan-counts').waitFor()
  await shot('plans-preview')
  const typed = page.getByTestId('plan-typed')
  if (await typed.isVisible()) {
    const text = await page.getByTestId('plan-run').innerText()
    await typed.fill(text.replaceAll(/[^0-9]/g, ''))
  }
  await page.getByTestId('plan-run').click()
  await page.getByTestId('plan-report').waitFor()
  await shot('plans-report')
  await page.keyboard.press('Escape')
  await page.getByTestId('plan-report').waitFor({ state: 'detached' })
  await page.keyboard.press('Control+Alt+z')
  await page.getByRole('dialog', { name: /^What this app wrote/u }).waitFor()
  await shot('plans-recent')
  await page.keyboard.press('Escape')
}
