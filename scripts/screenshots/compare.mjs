/** A comparison of an older revision of a prefix with the head. */
export async function take({ page, openPrefix, shot, headRevision }) {
  const head = await headRevision()
  await openPrefix('/app/checkout/')
  await page.keyboard.press('Control+Shift+D')
  await page.getByLabel('Revision on the left').fill(`r${String(Math.round(head * 0.6))}`)
  await page.getByTestId('compare-start').click()
  await page.getByTestId('compare-method').waitFor()
  const changed = page.getByTestId('differences').locator('[data-kind="changed"]')
  await changed.first().click()
  await page.getByTestId('diff-count').waitFor()
  await shot('compare-revisions', { settle: () => page.getByTestId('diff-count').waitFor() })
}
