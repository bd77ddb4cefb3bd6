/**
 * `npm run bench -- ui`: what a person waits for in the window, on stores of 1,000,000 keys. A real Electron, our node and a real
 * etcd behind it. Needs a built app (`npm run build`) and a display; `BENCH_UI_ROWS` (100,000) rows are scrolled through.
 */
/* global document, requestAnimationFrame, InputEvent, KeyboardEvent -- of the functions that run in the page */
import { rmSync } from 'node:fs'
import { connect } from 'node:http2'
import { launchWindow } from './app-window.mjs'
import { call } from './grpc-call.mjs'
import { paths, txnOfPutsBody } from './messages.mjs'
import { kinds, memoryOf, startServer } from './servers.mjs'
import { longTaskMs, rendererPid, traced } from './window-trace.mjs'

const rowsToScroll = Number(process.env.BENCH_UI_ROWS ?? 100_000)
const keyCount = Number(process.env.BENCH_KEYS ?? 1_000_000)
const keysPerTxn = 100
const inFlight = 16
const value = 'v'.repeat(64)
const leaps = 40
/** Traces are large; this many rows show what scrolling is made of. */
const tracedRows = 5_000
const say = (line) => process.stdout.write(`${line}\n`)

const places = (number, width) => String(number).padStart(width, '0')
const shapes = {
  'a thousand keys': {
    count: 1_000,
    keyOf: (at) => `/few/${places(at, 4)}`,
    folder: '/few/0',
  },
  '1,000 folders': {
    count: keyCount,
    keyOf: (at) => `/folders/f${places(Math.floor(at / 1_000), 4)}/key-${places(at % 1_000, 4)}`,
    folder: `/folders/f${places(Math.floor(keyCount / 2_000), 4)}/`,
  },
  'one folder': {
    count: keyCount,
    keyOf: (at) => `/flat/${places(at, 8)}`,
    folder: '/flat/0',
  },
}

async function load(port, { count, keyOf }) {
  const session = connect(`http://127.0.0.1:${port}`)
  let next = 0
  const worker = async () => {
    while (next < count) {
      const first = next
      next += keysPerTxn
      const keys = Array.from({ length: keysPerTxn }, (_, at) => keyOf(first + at))
      await call(session, paths.txn, txnOfPutsBody(keys, value))
    }
  }
  await Promise.all(Array.from({ length: inFlight }, worker))
  session.close()
}

async function launch(port) {
  const { app, page, folder } = await launchWindow(port, 'ui')
  await page.locator('[role=grid] [role=row]').first().waitFor({ timeout: 60_000 })
  return { app, page, folder }
}

/** Loads the page anew and takes the times at which it says that it is connected and shows its first row. */
async function openTimes(page) {
  await page.addInitScript(() => {
    const times = {}
    globalThis.openTimes = times
    const look = () => {
      const row = document.querySelector('[role=grid] [role=row]:not([aria-busy])')
      const text = document.querySelector('footer, [role=status]')?.textContent ?? ''
      if (times.connectedMs === undefined && text.includes('Connected'))
        times.connectedMs = performance.now()
      if (row !== null) times.rowMs = performance.now()
      else requestAnimationFrame(look)
    }
    requestAnimationFrame(look)
  })
  await page.reload()
  await page.waitForFunction(() => globalThis.openTimes?.rowMs !== undefined)
  return await page.evaluate(() => globalThis.openTimes)
}

/** From Enter in the prefix field to the first row of that prefix. */
function openFolder(page, prefix) {
  return page.evaluate(async (wanted) => {
    const field = document.querySelector('[data-testid=prefix]')
    field.value = wanted
    field.dispatchEvent(new InputEvent('input', { bubbles: true }))
    const startMs = performance.now()
    field.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true }))
    for (;;) {
      await new Promise((done) => requestAnimationFrame(done))
      const title = document.querySelector('[role=grid] [role=row] [title]')?.title ?? ''
      const shown = document.querySelector('[data-testid=prefix]').value
      if (shown === wanted && title.startsWith(wanted)) return performance.now() - startMs
    }
  }, prefix)
}

/** Scrolls by small steps through some rows, then by leaps over the whole list to its end; answers what was seen of waiting. */
function scroll(page, rows, leapCount) {
  return page.evaluate(
    async ({ rows: wanted, leapCount: count }) => {
      const list = document.querySelector('[role=grid]')
      const frame = () => new Promise((done) => requestAnimationFrame(done))
      const isWaiting = () => list.querySelector('[aria-busy]') !== null
      const rowPx = list.querySelector('[role=row]').offsetHeight
      const stepPx = Math.floor(list.clientHeight * 1.4)
      const startMs = performance.now()
      let waitingFrames = 0
      let frames = 0
      for (let px = 0; px < wanted * rowPx; px += stepPx) {
        list.scrollTop += stepPx
        await frame()
        frames++
        if (isWaiting()) waitingFrames++
      }
      const scrollMs = performance.now() - startMs
      let longestLeapMs = 0
      for (let leap = 1; leap <= count; leap++) {
        const leapMs = performance.now()
        list.scrollTop = (list.scrollHeight * leap) / count
        await frame()
        await frame()
        while (isWaiting()) await frame()
        longestLeapMs = Math.max(longestLeapMs, performance.now() - leapMs)
      }
      return { frames, waitingFrames, scrollMs, longestLeapMs }
    },
    { rows, leapCount },
  )
}

async function measure(kind, name) {
  const shape = shapes[name]
  const server = await startServer(kind)
  let launched
  try {
    await load(server.port, shape)
    launched = await launch(server.port)
    const { app, page } = launched
    const times = await openTimes(page)
    const folderMs = await openFolder(page, shape.folder)
    await openFolder(page, shape.folder.slice(0, shape.folder.indexOf('/', 1) + 1))
    const rows = Math.min(rowsToScroll, shape.count)
    const walked = await scroll(page, rows, 0)
    const resident = memoryOf(await rendererPid(app))
    const { seen, tasks, memory } = await traced(app, () =>
      scroll(page, Math.min(rows, tracedRows), leaps),
    )
    say(`${kind}, ${name}, ${shape.count.toLocaleString('en')} keys`)
    const afterMs = times.rowMs - (times.connectedMs ?? times.rowMs)
    say(`  first rows ${ms(afterMs)} after the connection, ${ms(times.rowMs)} after the page began`)
    say(`  a prefix opened in ${ms(folderMs)}`)
    say(
      `  ${rows.toLocaleString('en')} rows scrolled in ${ms(walked.scrollMs)}: ${walked.waitingFrames} of ${walked.frames} frames showed a row that was on its way`,
    )
    say(`  ${leaps} leaps to the end: the longest took ${ms(seen.longestLeapMs)}`)
    say(`  renderer ${memoryText(resident)} after that, ${memoryText(memory)} at the end`)
    const busy = tasks.filter(({ cpuMs }) => cpuMs > longTaskMs)
    const ours = tasks.filter(({ scriptMs }) => scriptMs > longTaskMs)
    say(
      `  tasks over ${longTaskMs} ms in ${tracedRows} rows and all leaps: ${tasks.length}; over it in CPU time: ${busy.length}; in script alone: ${ours.length}`,
    )
    for (const task of tasks.slice(0, 6))
      say(
        `    ${ms(task.ms)}: ${ms(task.cpuMs)} CPU, of it script ${ms(task.scriptMs)}, style, layout, paint and collection ${ms(task.browserMs)}`,
      )
  } finally {
    await launched?.app.close()
    if (launched !== undefined) rmSync(launched.folder, { recursive: true, force: true })
    await server.dispose()
  }
}

const memoryText = ({ residentMb, anonymousMb }) =>
  `${Math.round(residentMb)} MB resident (${Math.round(anonymousMb)} MB its own)`
const ms = (value) => `${Math.round(value)} ms`

/** @param {string[]} words  parts of the names of shapes, and servers, to keep to; none: all */
export async function ui(words = []) {
  const chosenKinds = kinds.filter((kind) => words.includes(kind))
  const parts = words.filter((word) => !kinds.includes(word))
  const names = Object.keys(shapes).filter(
    (name) => parts.length === 0 || parts.some((part) => name.includes(part)),
  )
  for (const name of names)
    for (const kind of chosenKinds.length === 0 ? kinds : chosenKinds) await measure(kind, name)
}
