/** Two people who write one key, the merge of both, an export in its formats, an import before it is written, and a new key. */
import { TextEncoder } from 'node:util'

export async function take({ page, openPrefix, shot, write }) {
  const key = '/app/checkout/limits.json'
  const put = (value) => ({
    kind: 'put',
    key: new TextEncoder().encode(key),
    value: new TextEncoder().encode(value),
  })
  const limits = (perOrder, perDay, currency) =>
    JSON.stringify({ owner: 'payments', currency, perOrder, perDay })
  await write([put(limits(15_000, 90_000, 'EUR'))])
  await openPrefix('/app/checkout/')
  await page
    .getByRole('row', { name: /limits\.json/u })
    .first()
    .click()
  await page.locator('.monaco-editor .view-line').first().waitFor()
  await page.keyboard.press('Control+e')
  await page.getByText('Unchanged').waitFor()
  await page.locator('.monaco-editor .view-line').first().click()
  await page.keyboard.press('Control+a')
  await page.keyboard.insertText(limits(20_000, 90_000, 'CHF'))
  // What the editor closed by itself.
  await page.keyboard.press('Control+Shift+End')
  await page.keyboard.press('Delete')
  await page.getByText('Not saved', { exact: true }).waitFor()
  await write([put(limits(18_000, 120_000, 'EUR'))])
  const notice = page.getByTestId('conflict')
  await notice.waitFor()
  await notice.getByRole('button', { name: 'Merge…' }).click()
  const merge = page.getByRole('dialog', { name: 'Merge two changes of a key?' })
  await merge.locator('.monaco-editor .view-line').first().waitFor()
  await shot('editing-merge')
  await merge.getByRole('button', { name: 'Cancel' }).click()
  await notice.getByRole('button', { name: 'Take theirs' }).click()
  await page.getByRole('button', { name: 'Dismiss' }).first().click()

  await openPrefix('/app/checkout/config/')
  await command(page, 'Keys: Export')
  const exported = page.getByRole('dialog')
  await exported.getByRole('radio', { name: 'YAML', exact: true }).click()
  await exported.getByTestId('export-preview').waitFor()
  await shot('editing-export')
  await page.keyboard.press('Escape')

  await command(page, 'Keys: Import')
  const imported = page.getByRole('dialog', { name: 'Import keys' })
  await imported.getByRole('textbox', { name: 'Text to import' }).fill(settings)
  await imported.getByText('3 keys read').waitFor()
  await shot('editing-import')
  await page.keyboard.press('Escape')
  await imported.waitFor({ state: 'detached' })
  await newKey({ page, openPrefix, shot })
}

async function newKey({ page, openPrefix, shot }) {
  await openPrefix('/app/checkout/flags/')
  await page.keyboard.press('Control+n')
  const dialog = page.getByRole('dialog', { name: 'New key' })
  await dialog.getByRole('textbox', { name: 'Value', exact: true }).fill(newFlag)
  await dialog.getByRole('radio', { name: 'JSON', exact: true }).click()
  await dialog.locator('.monaco-editor .view-line').first().waitFor()
  await dialog.getByRole('combobox', { name: 'Lease' }).selectOption('grant')
  await dialog.getByRole('textbox', { name: 'Key', exact: true }).fill(newFlagName)
  await shot('editing-new-key')
  // Two leases that already stand there; the second is granted by this dialog.
  const picker = dialog.getByRole('combobox', { name: 'Lease' })
  await dialog.getByRole('spinbutton').fill('3600')
  await dialog.getByRole('button', { name: 'Grant and choose' }).click()
  await dialog.getByRole('combobox', { name: 'An existing lease' }).waitFor()
  await shot('editing-lease')
  await picker.selectOption('none')
  await page.keyboard.press('Escape')
}

const newFlagName = '/app/checkout/flags/one-click-pay.json'
const newFlag = `{
  "flag": "one-click-pay",
  "enabled": false,
  "rollout": { "strategy": "percentage", "percent": 0 },
  "owner": "payments@checkout"
}`

const settings = `{
  "/app/checkout/config/region": "eu-central",
  "/app/checkout/config/retries": "3",
  "/app/checkout/config/token": "replaced"
}
`

async function command(page, name) {
  await page.keyboard.press('Control+k')
  await page.getByRole('combobox', { name: 'Command palette' }).fill(name)
  await page.getByRole('option').first().waitFor()
  await page.keyboard.press('Enter')
  await page.getByRole('dialog').waitFor()
}
