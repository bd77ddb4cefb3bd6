/**
 * Transactions and ranges: what would happen now, the answers after it ran, what is asked before a delete, a name to
 * keep it by, and reads side by side.
 */
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
  await kept({ page, shot })
  await page.keyboard.press('Control+Shift+M')
  await page.getByRole('textbox', { name: 'Prefix' }).fill('/app/checkout/')
  await page.getByRole('radio', { name: 'Each member' }).click()
  await page.getByTestId('query-run-button').click()
  await page.getByTestId('agreement').waitFor()
  await shot('query-members')
  await page.getByRole('radio', { name: 'Both', exact: true }).click()
  await page.getByTestId('query-run-button').click()
  await page.getByTestId('agreement').waitFor()
  await shot('query-both-ways')
}

async function kept({ page, shot }) {
  const branch = page.getByRole('region', { name: 'Else', exact: true })
  await branch.getByRole('button', { name: 'Add delete to Else' }).first().click()
  // The transaction inside of Else has an Else of its own, which stands before.
  const row = branch.getByRole('listitem', { name: 'Else, operation 2' }).last()
  await row.getByLabel('Which keys').selectOption('prefix')
  await row.getByRole('textbox', { name: 'Prefix' }).fill('/app/checkout/sessions/')
  await page.keyboard.press('Control+s')
  const asked = page.getByRole('dialog', { name: 'Save by name' })
  await asked.getByRole('textbox', { name: 'Name' }).fill('count an order')
  await shot('query-save')
  await asked.getByRole('button', { name: 'Save', exact: true }).click()
  await asked.waitFor({ state: 'detached' })
  await page.getByTestId('query-run-button').click()
  const confirmed = page.getByRole('alertdialog')
  await confirmed.waitFor()
  await shot('query-confirm')
  await page.keyboard.press('Escape')
  await confirmed.waitFor({ state: 'detached' })
}
