/** The local cluster after its leader was killed, and its members once all of them are back. */
export async function take({ page, shot }) {
  const view = (name) =>
    page
      .getByRole('navigation', { name: 'Views' })
      .getByRole('button', { name, exact: true })
      .click()
  // The members' view records who leads from now on.
  await view('Members')
  await page.getByRole('region', { name: 'Leader history' }).waitFor()
  await view('Playground')
  const rows = page.getByTestId('node-row')
  const leads = rows.filter({ has: page.getByTestId('node-role').getByText('leader') })
  await leads.first().waitFor()
  await page.getByRole('button', { name: 'Kill leader' }).click()
  await rows.filter({ has: page.getByTestId('node-state').getByText('killed') }).waitFor()
  await leads.first().waitFor()
  await shot('cluster-playground')
  await rows
    .filter({ has: page.getByTestId('node-state').getByText('killed') })
    .getByRole('button', { name: /^Start / })
    .click()
  await rows
    .filter({ has: page.getByTestId('node-role').getByText(/leader|follower/u) })
    .nth(2)
    .waitFor()
  await view('Members')
  await page.getByText('3 of 3 voters healthy').waitFor()
  await page.getByText('rate: measuring').waitFor({ state: 'detached' })
  await page.getByText('Connected', { exact: true }).first().waitFor()
  await shot('cluster-members')
}
