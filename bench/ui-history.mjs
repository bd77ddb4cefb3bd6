/**
 * `npm run bench -- ui-history`: what opening a key with a long past does to the window. A real Electron, our node and a real etcd
 * behind it. Needs a built app and a display; `BENCH_HISTORY_REVISIONS` (100,000) small versions of one key, and a hundredth of
 * that of large ones of another.
 */
/* global document, requestAnimationFrame, KeyboardEvent, MouseEvent, WheelEvent -- of the functions that run in the page */
import { readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:http2'
import { launchWindow } from './app-window.mjs'
import { call } from './grpc-call.mjs'
import { paths, putBody } from './messages.mjs'
import { kinds, memoryOf, opponent, startServer } from './servers.mjs'

const revisionCount = Number(process.env.BENCH_HISTORY_REVISIONS ?? 100_000)
const pasts = [
  { name: 'small', count: revisionCount, sizeBytes: 100 },
  { name: 'large', count: Math.ceil(revisionCount / 100), sizeBytes: 100_000 },
]
const putsInFlight = 64
const longTaskMs = 50
const say = (line) => process.stdout.write(`${line}\n`)

async function load(port, { name, count, sizeBytes }) {
  const session = connect(`http://127.0.0.1:${port}`)
  let next = 0
  const worker = async () => {
    while (next < count) {
      const value = String(next++).padEnd(sizeBytes, '.')
      await call(session, paths.put, putBody(`past/${name}`, value))
    }
  }
  await Promise.all(Array.from({ length: putsInFlight }, worker))
  session.close()
}

async function launch(port) {
  const { app, page, folder } = await launchWindow(port, 'ui-history')
  await page.getByText('Connected', { exact: true }).first().waitFor({ timeout: 60_000 })
  await page.getByTestId('prefix').fill('past/')
  await page.getByTestId('prefix').press('Enter')
  return { app, page, folder }
}

/** From the click on the key to the first points of its timeline and to the end of its history. */
async function open(page, { name, count }) {
  const row = page.locator('[role=grid] [role=row]').filter({ hasText: name }).first()
  await row.waitFor({ timeout: 60_000 })
  const element = await row.elementHandle()
  return page.evaluate(
    async ({ clicked, wanted, key }) => {
      const startMs = performance.now()
      const since = () => performance.now() - startMs
      const box = clicked.getBoundingClientRect()
      const at = { bubbles: true, clientX: box.x + 40, clientY: box.y + 8, button: 0 }
      for (const type of ['mousedown', 'mouseup', 'click'])
        clicked.dispatchEvent(new MouseEvent(type, at))
      let firstMs
      for (;;) {
        await new Promise((done) => requestAnimationFrame(done))
        const shown = document.querySelector('[data-testid=detail-key]')?.textContent ?? ''
        if (!shown.includes(key)) continue
        const history = document.querySelector('[data-testid=history-plot]')
        const isOf = document.querySelector('[data-testid=history-summary]')?.textContent ?? ''
        const readable = Number(/^[\d,\u2009\u00a0\u202f ]+/.exec(isOf)?.[0].replace(/\D/g, ''))
        if (firstMs === undefined && history?.querySelector('.tl-pt') != null) firstMs = since()
        if (readable >= wanted) return { firstMs, wholeMs: since() }
        if (since() > 120_000) throw new Error(`the history has ended at: ${isOf}`)
      }
    },
    { clicked: element, wanted: count, key: name },
  )
}

/** Zooms in and out, steps from change to change, and scrolls the list of revisions from end to end. */
async function use(page) {
  await page.evaluate(async () => {
    const frame = () => new Promise((done) => requestAnimationFrame(done))
    const plot = document.querySelector('[data-testid=history-plot]')
    const box = plot.getBoundingClientRect()
    for (let step = 0; step < 40; step++) {
      const at = { clientX: box.x + box.width / 2, clientY: box.y + 10, bubbles: true }
      plot.dispatchEvent(new WheelEvent('wheel', { ...at, deltaY: step < 20 ? -100 : 100 }))
      await frame()
    }
    for (let step = 0; step < 10; step++) {
      plot.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowLeft', bubbles: true }))
      await frame()
      await frame()
    }
  })
  await page.getByRole('tab', { name: 'Revisions', exact: true }).click()
  const list = page.getByRole('region', { name: 'Revisions', exact: true }).getByRole('grid')
  await list.waitFor()
  await list.evaluate(async (element) => {
    for (let step = 0; step <= 100; step++) {
      element.scrollTop = (element.scrollHeight * step) / 100
      await new Promise((done) => requestAnimationFrame(done))
    }
  })
}

/** Tasks of the page's main thread longer than 50 ms, with what ran in them and what they took of the processor. */
function longTasks(path, pid) {
  const { traceEvents } = JSON.parse(readFileSync(path, 'utf8'))
  const main = traceEvents.find(
    ({ name, pid: owner, args }) =>
      name === 'thread_name' && owner === pid && args?.name === 'CrRendererMain',
  )
  const own = traceEvents.filter(({ pid: owner, tid }) => owner === pid && tid === main?.tid)
  return own
    .filter(({ name, dur }) => name.endsWith('RunTask') && dur > longTaskMs * 1_000)
    .map(({ ts, dur, tdur = dur }) => ({
      ms: Math.round(dur / 1_000),
      cpuMs: Math.round(tdur / 1_000),
      parts: own
        .filter((one) => one.ts >= ts && one.ts < ts + dur && one.dur > 10_000)
        .map((one) => `${one.name} ${Math.round(one.dur / 1_000)} ms`)
        .slice(0, 6),
    }))
}

async function traced(app, pid, act) {
  await app.evaluate(({ contentTracing }) =>
    contentTracing.startRecording({ included_categories: ['toplevel', 'devtools.timeline', 'v8'] }),
  )
  const seen = await act()
  const path = await app.evaluate(({ contentTracing }) => contentTracing.stopRecording())
  const tasks = longTasks(path, pid)
  rmSync(path, { force: true })
  return { seen, tasks }
}

function sayTasks(what, tasks) {
  // On a machine that is busy with other things a task waits; what it took of the processor is its own.
  const ownCount = tasks.filter(({ cpuMs }) => cpuMs > longTaskMs).length
  say(
    `    tasks over ${longTaskMs} ms while ${what}: ${tasks.length}, of the processor: ${ownCount}`,
  )
  for (const { ms, cpuMs, parts } of tasks.slice(0, 5))
    say(`      ${ms} ms (cpu ${cpuMs} ms): ${parts.join(', ')}`)
}

async function measurePast(server, past) {
  const launched = await launch(server.port)
  try {
    const { app, page } = launched
    const pid = await app.evaluate(({ BrowserWindow }) =>
      BrowserWindow.getAllWindows()[0].webContents.getOSProcessId(),
    )
    // The first key of a session loads the editor.
    await open(page, { name: 'first', count: 1 })
    await page.locator('.monaco-editor .view-line').first().waitFor({ timeout: 60_000 })
    const before = memoryOf(pid)
    const opened = await traced(app, pid, () => open(page, past))
    const { firstMs, wholeMs } = opened.seen
    const count = past.count.toLocaleString('en')
    say(`  ${count} revisions of ${past.sizeBytes.toLocaleString('en')} B`)
    say(`    first points ${Math.round(firstMs)} ms, all ${Math.round(wholeMs)} ms`)
    sayTasks('opening', opened.tasks)
    const used = await traced(app, pid, () => use(page))
    sayTasks('zooming, stepping and scrolling', used.tasks)
    const after = memoryOf(pid)
    say(
      `    renderer ${Math.round(after.anonymousMb)} MB its own, before ${Math.round(before.anonymousMb)} MB`,
    )
  } finally {
    await launched.app.close()
    rmSync(launched.folder, { recursive: true, force: true })
  }
}

/** @param {string[]} words  servers to keep to; none: both */
export async function uiHistory(words = []) {
  const chosen = kinds.filter((kind) => words.length === 0 || words.includes(kind))
  for (const kind of chosen) {
    const server = await startServer(kind)
    try {
      await load(server.port, { name: 'first', count: 1, sizeBytes: 10 })
      for (const past of pasts) await load(server.port, past)
      say(kind === 'etcd' ? `etcd ${opponent().version}` : kind)
      for (const past of pasts) await measurePast(server, past)
    } finally {
      await server.dispose()
    }
  }
}
