/**
 * `npm run bench -- ui-flows`: large values, a search, time travel, the bin, a plan and a comparison in the window, over 1,000,000
 * keys of which a tenth was deleted. A real Electron, our node and a real etcd behind it. Needs a built app and a display.
 * `BENCH_KEYS` is another number of keys, `BENCH_FLOWS` some of the flows: values, search, travel, bin, plan, compare (a plan needs the bin before it).
 */
/* global document, requestAnimationFrame -- of the functions that run in the page */
import { rmSync } from 'node:fs'
import { connect } from 'node:http2'
import { launchWindow } from './app-window.mjs'
import { call } from './grpc-call.mjs'
import { deleteRangeBody, paths, putBody, txnOfPutsBody } from './messages.mjs'
import { kinds, memoryOf, opponent, startServer, statusOf } from './servers.mjs'
import { longTaskMs, traced } from './window-trace.mjs'

const keyCount = Number(process.env.BENCH_KEYS ?? 1_000_000)
/** Which flows, by name; none: all. */
const chosenFlows = process.env.BENCH_FLOWS?.split(',')
const deletedCount = keyCount / 10
const keysPerTxn = 100
const keysPerFolder = 1_000
const inFlight = 16
const mebibyte = 1024 ** 2
/** etcd takes requests of 1.5 MiB, of which the key and the frame of the message take a little. */
const largestBytes = 1.5 * mebibyte - 512
const values = [
  { key: 'values/one', sizeBytes: mebibyte },
  { key: 'values/two', sizeBytes: largestBytes },
]
const patience = { timeout: 120_000 }
const say = (line) => process.stdout.write(`${line}\n`)
const many = (value) => Math.round(value).toLocaleString('en')
const ms = (value) => `${many(value)} ms`

const folderOf = (at) => `/folders/f${String(at).padStart(4, '0')}/`
const keyOf = (at) =>
  `${folderOf(Math.floor(at / keysPerFolder))}key-${String(at % keysPerFolder).padStart(4, '0')}`

/** JSON of about a size, of many small members. */
function jsonOf(sizeBytes) {
  const rows = []
  let length = 2
  for (let at = 0; length < sizeBytes - 100; at++) {
    rows.push(`  {"id": ${at}, "name": "service-${at % 97}", "ports": [80, 443], "isReady": true}`)
    length += rows.at(-1).length + 2
  }
  return `[\n${rows.join(',\n')}\n]`
}

/** Loads the keys, deletes the first tenth of the folders, and answers the revision before that. */
async function load(port) {
  const session = connect(`http://127.0.0.1:${port}`)
  let next = 0
  const worker = async () => {
    while (next < keyCount) {
      const first = next
      next += keysPerTxn
      const keys = Array.from({ length: keysPerTxn }, (_, at) => keyOf(first + at))
      await call(session, paths.txn, txnOfPutsBody(keys, 'v'.repeat(64)))
    }
  }
  await Promise.all(Array.from({ length: inFlight }, worker))
  await call(session, paths.put, putBody('values/first', 'true'))
  for (const { key, sizeBytes } of values)
    await call(session, paths.put, putBody(key, jsonOf(sizeBytes)))
  const { revision } = await statusOf(port)
  for (let folder = 0; folder < deletedCount / keysPerFolder; folder++)
    await call(session, paths.deleteRange, deleteRangeBody(folderOf(folder), folderOf(folder + 1)))
  session.close()
  return revision
}

/** Notes the longest time between two frames until `stop` is called. */
async function watchFrames(page) {
  await page.evaluate(() => {
    const seen = { longestMs: 0, isOver: false }
    globalThis.benchFrames = seen
    let lastMs = performance.now()
    const look = () => {
      const nowMs = performance.now()
      seen.longestMs = Math.max(seen.longestMs, nowMs - lastMs)
      lastMs = nowMs
      if (!seen.isOver) requestAnimationFrame(look)
    }
    requestAnimationFrame(look)
  })
  return () =>
    page.evaluate(() => {
      globalThis.benchFrames.isOver = true
      return globalThis.benchFrames.longestMs
    })
}

/** Runs one flow; `act` answers what is to be told of it. */
async function flow({ app, page, mainPid }, name, act) {
  const stop = await watchFrames(page)
  const { seen, tasks, memory } = await traced(app, act)
  const longestFrameMs = await stop()
  const ours = tasks.filter(({ scriptMs }) => scriptMs > longTaskMs)
  const busy = tasks.filter(({ cpuMs }) => cpuMs > longTaskMs)
  say(`  ${name}: ${seen}`)
  say(
    `    longest time between frames ${ms(longestFrameMs)}; tasks over ${longTaskMs} ms: ${tasks.length}, in CPU time: ${busy.length}, in script alone: ${ours.length}`,
  )
  for (const task of tasks.slice(0, 3))
    say(
      `      ${ms(task.ms)}: ${ms(task.cpuMs)} CPU, of it script ${ms(task.scriptMs)}, style, layout, paint and collection ${ms(task.browserMs)}`,
    )
  say(
    `    renderer ${many(memory.residentMb)} MB resident, main process ${many(memoryOf(mainPid).residentMb)} MB`,
  )
}

/** Time from an act until the page answers true, looked at in every frame. */
async function until(page, act, isDone, argument) {
  const startMs = performance.now()
  await act()
  await page.waitForFunction(isDone, argument, patience)
  return performance.now() - startMs
}

async function showPrefix(page, prefix) {
  await page.getByTestId('prefix').fill(prefix)
  await page.getByTestId('prefix').press('Enter')
}

const showView = (page, name) =>
  page.getByRole('navigation', { name: 'Views' }).getByRole('button', { name, exact: true }).click()

async function openValues(parts) {
  const { page } = parts
  const list = page.getByRole('grid', { name: 'Keys', exact: true })
  const isShown = (wanted) => {
    const title = document.querySelector('[data-testid=detail-key]')?.textContent ?? ''
    const lines = document.querySelector('[data-testid=value-editor] .view-lines')?.textContent
    return title.includes(wanted.key) && (lines ?? '').includes(wanted.text)
  }
  const open = ({ key, text }) =>
    until(
      page,
      () =>
        list
          .getByRole('row')
          .filter({ has: page.getByTitle(key, { exact: true }) })
          .click(),
      isShown,
      { key, text },
    )
  await showPrefix(page, 'values/')
  // The first key of a session loads the editor.
  await open({ key: 'values/first', text: 'true' })
  for (const { key, sizeBytes } of values)
    await flow(parts, `a JSON value of ${many(sizeBytes)} B`, async () => {
      const openMs = await open({ key, text: 'service-1' })
      return `its text after ${ms(openMs)}`
    })
}

async function search(parts) {
  const { page } = parts
  await showPrefix(page, '/folders/')
  await page.keyboard.press('Control+f')
  await page.getByTestId('search-text').waitFor(patience)
  await page.getByText('Contains', { exact: true }).click()
  await flow(parts, 'search "contains"', async () => {
    await page.getByTestId('search-text').fill('key-0777')
    const searchMs = await until(
      page,
      () => page.getByTestId('search-text').press('Enter'),
      () => {
        const bar = document.querySelector('[data-testid=scan] progress')
        return bar !== null && bar.max > 1 && bar.value >= bar.max
      },
    )
    const found = await page.getByTestId('list-footer').innerText()
    return `${ms(searchMs)} over ${many(keyCount - deletedCount)} keys (${found})`
  })
  await page.getByTestId('search-text').press('Escape')
}

async function travel(parts) {
  const { page } = parts
  await page.getByTestId('revision-chip').click()
  await page.getByTestId('revision-track').waitFor(patience)
  const box = await page.getByTestId('revision-track').boundingBox()
  const y = box.y + box.height / 2
  /** While the keys were loaded each revision brought the same number of them, so the list's total tells its revision. */
  const isAtRevision = (perRevision) => {
    const digits = (text) => Number((text ?? '').replaceAll(/\D/g, ''))
    const at = digits(document.querySelector('[data-testid=revision-field]')?.value)
    const foot = document.querySelector('[data-testid=list-footer]')?.textContent ?? ''
    const total = digits(/of ([\d,.\s]+)/.exec(foot)?.[1])
    const isWaiting = document.querySelector('[role=grid] [aria-busy]') !== null
    return !isWaiting && at > 1 && total === (at - 1) * perRevision
  }
  await flow(parts, 'time travel by the slider', async () => {
    await page.mouse.move(box.x + box.width - 4, y)
    await page.mouse.down()
    for (let step = 1; step <= 20; step++)
      await page.mouse.move(box.x + box.width * (1 - step / 40), y)
    const rowsMs = await until(page, () => page.mouse.up(), isAtRevision, keysPerTxn)
    const revision = await page.getByTestId('revision-field').inputValue()
    return `rows of ${revision} ${ms(rowsMs)} after 20 steps of the drag`
  })
  await page.getByRole('button', { name: /^Back to head/ }).click()
}

async function bin(parts) {
  const { page } = parts
  await showView(page, 'Deleted keys')
  await page.getByTestId('bin-prefix').fill('/folders/')
  await flow(parts, 'the bin', async () => {
    let firstMs
    const wholeMs = await until(
      page,
      async () => {
        firstMs = await until(
          page,
          () => page.getByTestId('bin-prefix').press('Enter'),
          () => document.querySelector('[role=grid] [role=row]:not([aria-busy]) [title]') !== null,
        )
      },
      (wanted) => {
        const text = document.querySelector('[data-testid=bin-count]')?.textContent ?? ''
        const state = document.querySelector('[data-testid=bin-state]')?.textContent ?? ''
        return Number(text.replaceAll(/\D/g, '')) === wanted && state.includes('Live')
      },
      deletedCount,
    )
    return `first row ${ms(firstMs)}, all ${many(deletedCount)} ${ms(wholeMs)}`
  })
}

async function plan(parts, revision) {
  const { page } = parts
  await page.getByRole('button', { name: 'Restore prefix to a revision…' }).click()
  await page.getByTestId('restore-revision').fill(String(revision))
  await flow(parts, `a plan of ${many(deletedCount)} keys`, async () => {
    const computeMs = await until(
      page,
      () => page.getByRole('button', { name: 'Preview…' }).click(),
      () => document.querySelector('[data-testid=plan-typed]') !== null,
    )
    await page.getByTestId('plan-typed').fill(String(deletedCount))
    const runMs = await until(
      page,
      () => page.getByTestId('plan-run').click(),
      () => document.querySelector('[data-testid=plan-report]') !== null,
    )
    return `computed and previewed in ${ms(computeMs)}, run in ${ms(runMs)}`
  })
  await page.getByRole('dialog').getByRole('button', { name: 'Close', exact: true }).click()
}

async function compare(parts, revision) {
  const { page } = parts
  await showView(page, 'Keys')
  await page.getByRole('button', { name: 'Compare with a revision or a cluster' }).click()
  await page.getByTestId('compare-start').waitFor(patience)
  for (const side of ['left', 'right'])
    await page.getByLabel(`Prefix on the ${side}`).fill('/folders/')
  // What the plan brought back was not there in between.
  await page.getByLabel('Revision on the left').fill(String(revision))
  await page
    .getByLabel('Revision on the right')
    .fill(String(revision + deletedCount / keysPerFolder))
  const isDone = () => document.querySelector('[data-testid=compare-method]') !== null
  await flow(parts, 'a comparison that is cancelled', async () => {
    await page.getByTestId('compare-start').click()
    const cancel = page.getByRole('button', { name: 'Cancel', exact: true })
    await cancel.waitFor(patience)
    const cancelMs = await until(
      page,
      () => cancel.click(),
      () => document.body.innerText.includes('Ended by you.'),
    )
    return `ended ${ms(cancelMs)} after the click`
  })
  await flow(parts, 'a comparison of two revisions', async () => {
    const wholeMs = await until(page, () => page.getByTestId('compare-start').click(), isDone)
    return `${ms(wholeMs)}: ${await page.getByTestId('compare-method').innerText()}`
  })
}

async function measure(kind) {
  const server = await startServer(kind)
  let launched
  try {
    const revision = await load(server.port)
    say(`${kind === 'etcd' ? `etcd ${opponent().version}` : kind}, ${many(keyCount)} keys`)
    launched = await launchWindow(server.port, 'ui-flows')
    const { app, page } = launched
    const parts = { app, page, mainPid: app.process().pid }
    await page.locator('[role=grid] [role=row]').first().waitFor(patience)
    const flows = { values: openValues, search, travel, bin, plan, compare }
    for (const [name, run] of Object.entries(flows))
      if (chosenFlows?.includes(name) ?? true) await run(parts, revision)
  } finally {
    await launched?.app.close()
    if (launched !== undefined) rmSync(launched.folder, { recursive: true, force: true })
    await server.dispose()
  }
}

/** @param {string[]} words  servers to keep to; none: both */
export async function uiFlows(words = []) {
  const chosen = kinds.filter((kind) => words.length === 0 || words.includes(kind))
  for (const kind of chosen) await measure(kind)
}
