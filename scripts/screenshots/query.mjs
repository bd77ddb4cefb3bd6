/** Transactions and ranges: what would happen now, the answers after it ran, and reads side by side. */
export async function take({ page, shot }) {
  await page
    .getByRole('navigation', { name: 'Views' })
    .getByRole('button', { name: 'Queries', exact: true })
    .click()
  await page.getByRole('button', { name: 'Counter', exact: true }).click()
  await page.getByRole('button', { name: 'What would happen now' }).click()
  await page.getByTestId('compare-finding').first().waitFor()
  await page.getByTestId('query-run-button').click()
  await page.getByTestId('outcome-branch').waitFor()
  await page.getByRole('button', { name: 'What would happen now' }).click()
  await page.getByTestId('compare-finding').first().waitFor()
  await shot('query-transaction')
  await page.keyboard.press('Control+Shift+M')
  await page.getByRole('textbox', { name: 'Prefix' }).fill('/app/checkout/')
  await page.getByRole('radio', { name: 'Each member' }).click()
  await page.getByTestId('query-run-button').click()
  await page.getByTestId('agreement').waitFor()
  await shot('query-members')
}
