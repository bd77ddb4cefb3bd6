/** The past of a key: its lives on one axis, the difference of two of its revisions, and the list of all. */

/* global window -- inside of functions that run in the page */

const encoder = new TextEncoder()
const key = '/app/checkout/flags/express-pay.json'
/** Where the readable past begins. */
const compactedRevision = 60

export async function take(context) {
  const { page, openPrefix, shot } = context
  await writeSecondLife(context)
  await compact(context)
  await openPrefix('/app/checkout/flags/')
  await page
    .getByRole('row', { name: /express-pay/u })
    .first()
    .click()
  const plot = page.getByTestId('history-plot')
  await plot.waitFor()
  await page.getByTestId('history-seam').waitFor()
  await page.locator('.monaco-editor .view-line').first().waitFor()
  await shot('history-timeline')
  await plot.focus()
  await page.keyboard.press('ArrowLeft')
  await page.keyboard.press('ArrowLeft')
  await page.getByText('Writing is off').waitFor()
  await page.keyboard.press('a')
  await page.getByRole('button', { name: 'Back to head' }).click()
  await plot.focus()
  await page.keyboard.press('b')
  await page.keyboard.press('c')
  await page.getByTestId('diff-count').waitFor()
  await shot('history-diff')
  await page.getByRole('tab', { name: 'Revisions', exact: true }).click()
  await page.getByRole('grid', { name: 'Revisions' }).waitFor()
  await shot('history-revisions')
}

const put = (name, value) => ({
  kind: 'put',
  key: encoder.encode(name),
  value: encoder.encode(JSON.stringify(value, undefined, 2)),
})

/** The flag is deleted, and made anew a while later. */
async function writeSecondLife({ write }) {
  await write([{ kind: 'delete', range: { kind: 'key', key: encoder.encode(key) } }])
  const others = async (count) => {
    for (let at = 0; at < count; at++)
      await write([put(`/app/checkout/sessions/${String(at)}`, { cart: at })])
  }
  await others(24)
  const steps = [1, 2, 5, 5, 10, 10, 20, 20, 35]
  for (const [at, percent] of steps.entries()) {
    const segments = at < 4 ? ['eu-west'] : ['eu-west', 'returning-customers']
    const rollout = { strategy: 'percentage', percent, salt: 'c1f7a0', segments }
    const maxAmount = at < 6 ? 20_000 : 25_000
    const limits = { maxAmount, currency: 'EUR' }
    const flag = { flag: 'express-pay', enabled: at > 2, rollout, limits }
    await write([put(key, { ...flag, owner: 'payments@checkout' })])
    await others(3 + ((at * 5) % 7))
  }
}

/** No view of the window compacts; a node is asked by its gateway. */
async function compact({ page, connectionId }) {
  const [endpoint] = await page.evaluate(
    (id) =>
      new Promise((resolve) => {
        window.bridge.connections.observe(({ kind, items }) => {
          if (kind !== 'batch') return
          for (const { connection } of items)
            if (connection?.id === id) resolve(connection.endpoints.map(({ url }) => url))
        })
      }),
    connectionId,
  )
  const reply = await fetch(`${endpoint}/v3/kv/compaction`, {
    method: 'POST',
    body: JSON.stringify({ revision: String(compactedRevision), physical: true }),
  })
  if (!reply.ok) throw new Error(`the history could not be compacted: ${await reply.text()}`)
}
