/**
 * The key browser: the tree, the list under a prefix, and one key with its value and its past; what may be done with a
 * row, its columns, other names for a key and for a folder; and a search on the server.
 */
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
  await columns({ page, shot })
  await page.getByRole('button', { name: 'Close this key' }).click()
  await names({ page, shot })
  await openPrefix('/app/')
  await page.keyboard.press('Control+f')
  await page.getByTestId('search-text').fill('stock/SKU-1000')
  await page.keyboard.press('Enter')
  await page.getByTestId('scan').waitFor()
  await page.locator('[aria-rowindex="1"] .last').first().waitFor()
  await shot('keys-search')
  await page.keyboard.press('Escape')
}

async function columns({ page, shot }) {
  await page.getByRole('button', { name: 'Columns', exact: true }).click()
  await page.getByRole('group', { name: 'Columns' }).waitFor()
  await shot('keys-columns')
  await page.keyboard.press('Escape')
}

/** The menu of a row, and both dialogs that ask for another name. */
async function names({ page, shot }) {
  const row = page.getByRole('row', { name: /gift-cards/u }).first()
  await row.click({ button: 'right' })
  await page.getByRole('menu').waitFor()
  const settle = async () => {
    await page.keyboard.press('Escape')
    await page.getByRole('menu').waitFor({ state: 'detached' })
    await row.click({ button: 'right' })
    await page.getByRole('menu').waitFor()
  }
  await shot('keys-menu', { settle })
  await page.keyboard.press('Escape')
  await row.focus()
  await page.keyboard.press('F2')
  const asked = page.getByRole('dialog')
  await asked.getByRole('textbox').fill('/app/checkout/flags/vouchers.json')
  await shot('keys-rename')
  await page.keyboard.press('Escape')
  await asked.waitFor({ state: 'detached' })
  const folder = page
    .getByRole('treeitem')
    .filter({ has: page.getByText('flags', { exact: true }) })
  await folder.first().click()
  await page.keyboard.press('F2')
  await asked.getByRole('textbox').fill('/app/checkout/toggles/')
  await shot('keys-rename-folder')
  await page.keyboard.press('Escape')
  await asked.waitFor({ state: 'detached' })
}
