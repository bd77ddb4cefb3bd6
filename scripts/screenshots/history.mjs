/** The past of a key: its lives on one axis, and the difference of two of its revisions. */
export async function take({ page, openPrefix, shot }) {
  await openPrefix('/app/checkout/flags/')
  await page
    .getByRole('row', { name: /express-pay/u })
    .first()
    .click()
  const plot = page.getByTestId('history-plot')
  await plot.waitFor()
  await page.locator('.monaco-editor .view-line').first().waitFor()
  await shot('history-timeline')
  await plot.focus()
  await page.keyboard.press('d')
  await page.getByTestId('diff-count').waitFor()
  await shot('history-diff')
}
