/** Time travel: a prefix as it was, with the timeline of its writes, what came after each key, and what changed since. */
export async function take({ page, openPrefix, headRevision, shot }) {
  const head = await headRevision()
  await openPrefix('/app/checkout/')
  await page.getByRole('treeitem', { name: /app/u }).first().press('ArrowRight')
  await page.keyboard.press('Control+g')
  const field = page.getByTestId('revision-field')
  await field.waitFor()
  await bookmark(page, { revision: Math.round(head * 0.42), name: 'before 1.31 upgrade' })
  await bookmark(page, { revision: Math.round(head * 0.86), name: 'nightly' })
  await goTo(page, Math.round(head * 0.72))
  await shot('travel-browser')
  await page.keyboard.press('Alt+b')
  await page.getByTestId('bookmark').nth(1).waitFor()
  await shot('travel-bookmarks')
  await page.keyboard.press('Escape')
  await page.getByRole('dialog').waitFor({ state: 'detached' })
  await page.keyboard.press('Alt+c')
  const changes = page.getByTestId('travel-changes')
  await changes.getByText('express-pay.json').click()
  // Both sides take their colours one after the other.
  await shot('travel-changes', { settle: () => page.waitForTimeout(1_500) })
  // A tab comes back as it was, also in its time; what follows is about now.
  await page.getByTestId('travel-banner').getByRole('button', { name: 'Back to head' }).click()
  await page.getByTestId('travel-banner').waitFor({ state: 'detached' })
}

async function goTo(page, revision) {
  const field = page.getByTestId('revision-field')
  await field.fill(String(revision))
  await field.press('Enter')
  await page
    .getByTestId('travel-banner')
    .getByText(`r${String(revision)}`)
    .waitFor()
  await page.getByRole('grid').first().focus()
}

async function bookmark(page, { revision, name }) {
  await goTo(page, revision)
  await page.keyboard.press('Alt+b')
  await page.getByRole('textbox', { name: 'Name of this revision' }).fill(name)
  await page.keyboard.press('Enter')
  await page.getByRole('dialog').waitFor({ state: 'detached' })
}
