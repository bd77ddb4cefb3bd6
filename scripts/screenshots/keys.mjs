/** The key browser: the tree, the list under a prefix, and one key with its value and its past; and a search on the server. */
export async function take({ page, openPrefix, shot }) {
  await openPrefix('/app/checkout/flags/')
  for (const folder of ['/app', 'checkout']) {
    const item = page.getByRole('treeitem').filter({ has: page.getByText(folder, { exact: true }) })
    await item.first().waitFor()
    await item.first().click()
  }
  await openPrefix('/app/checkout/flags/')
  await page
    .getByRole('row', { name: /express-pay/u })
    .first()
    .click()
  await page.locator('.monaco-editor .view-line').first().waitFor()
  await page.getByTestId('history-plot').waitFor()
  await shot('keys-browser')
  await page.getByRole('button', { name: 'Close this key' }).click()
  await openPrefix('/app/')
  await page.keyboard.press('Control+f')
  await page.getByTestId('search-text').fill('stock/SKU-1000')
  await page.keyboard.press('Enter')
  await page.getByTestId('scan').waitFor()
  await page.locator('[aria-rowindex="1"] .last').first().waitFor()
  await shot('keys-search')
  await page.keyboard.press('Escape')
}
