/**
 * `npm run bench -- ui-history`: what opening a key with a long past does to the window. A real Electron, our node and a real etcd
 * behind it. Needs a built app and a display; `BENCH_HISTORY_REVISIONS` (100,000) small versions of one key, and a hundredth of
 * that of large ones of another.
 */
/* global document, requestAnimationFrame, KeyboardEvent, MouseEvent, WheelEvent -- of the functions that run in the page */
import { rmSync } from 'node:fs'
import { connect } from 'node:http2'
import { launchWindow } from './app-window.mjs'
import { call } from './grpc-call.mjs'
import { paths, putBody } from './messages.mjs'
import { kinds, memoryOf, opponent, startServer } from './servers.mjs'
import { longTaskMs, rendererPid, traced } from './window-trace.mjs'

const revisionCount = Number(process.env.BENCH_HISTORY_REVISIONS ?? 100_000)
const pasts = [
  { name: 'small', count: revisionCount, sizeBytes: 100 },
  { name: 'large', count: Math.ceil(revisionCount / 100), sizeBytes: 100_000 },
]
const putsInFlight = 64
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

/** What is done with a history that is open. */
const uses = {
  'zooming in and out, 40 steps': (page) =>
    page.evaluate(async () => {
      const plot = document.querySelector('[data-testid=history-plot]')
      const box = plot.getBoundingClientRect()
      for (let step = 0; step < 40; step++) {
        const at = { clientX: box.x + box.width / 2, clientY: box.y + 10, bubbles: true }
        plot.dispatchEvent(new WheelEvent('wheel', { ...at, deltaY: step < 20 ? -100 : 100 }))
        await new Promise((done) => requestAnimationFrame(done))
      }
    }),
  'stepping from change to change, 10 times': (page) =>
    page.evaluate(async () => {
      const plot = document.querySelector('[data-testid=history-plot]')
      for (let step = 0; step < 10; step++) {
        plot.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowLeft', bubbles: true }))
        for (let frame = 0; frame < 2; frame++)
          await new Promise((done) => requestAnimationFrame(done))
      }
    }),
  'opening the list of revisions': async (page) => {
    await page.getByRole('tab', { name: 'Revisions', exact: true }).click()
    await revisionList(page).waitFor()
  },
  'leaping through the list, 100 times': (page) =>
    revisionList(page).evaluate(async (element) => {
      for (let step = 0; step <= 100; step++) {
        element.scrollTop = (element.scrollHeight * step) / 100
        await new Promise((done) => requestAnimationFrame(done))
      }
    }),
}

const revisionList = (page) =>
  page.getByRole('region', { name: 'Revisions', exact: true }).getByRole('grid')

function sayTasks(what, tasks) {
  // On a machine that is busy with other things a task waits; what it took of the processor is its own.
  const ownCount = tasks.filter(({ cpuMs }) => cpuMs > longTaskMs).length
  say(`    ${what}: ${tasks.length} tasks over ${longTaskMs} ms, of the processor ${ownCount}`)
  const ms = (time) => `${Math.round(time)} ms`
  for (const task of tasks.slice(0, 4))
    say(
      `      ${ms(task.ms)}: ${ms(task.cpuMs)} CPU, of it script ${ms(task.scriptMs)}, style, layout, paint and collection ${ms(task.browserMs)}`,
    )
}

async function measurePast(server, past) {
  const launched = await launch(server.port)
  try {
    const { app, page } = launched
    const pid = await rendererPid(app)
    // The first key of a session loads the editor.
    await open(page, { name: 'first', count: 1 })
    await page.locator('.monaco-editor .view-line').first().waitFor({ timeout: 60_000 })
    const before = memoryOf(pid)
    const opened = await traced(app, () => open(page, past))
    const { firstMs, wholeMs } = opened.seen
    const count = past.count.toLocaleString('en')
    say(`  ${count} revisions of ${past.sizeBytes.toLocaleString('en')} B`)
    say(`    first points ${Math.round(firstMs)} ms, all ${Math.round(wholeMs)} ms`)
    sayTasks('opening', opened.tasks)
    for (const [what, use] of Object.entries(uses))
      sayTasks(what, (await traced(app, () => use(page))).tasks)
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
