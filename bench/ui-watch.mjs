/**
 * `npm run bench -- ui-watch`: what the watch pane does to the window while thousands of events a second come in. A real Electron, our
 * node and a real etcd behind it, and a writer in a process of its own. Needs a built app and a display; `BENCH_WATCH_RATE` (5,000)
 * events a second, `BENCH_WATCH_SECONDS` (15).
 */
/* global document, requestAnimationFrame -- of the functions that run in the page */
import { readFileSync, rmSync } from 'node:fs'
import { launchWindow } from './app-window.mjs'
import { startJob } from './driver/pool.mjs'
import { paths, txnOfPutsBody } from './messages.mjs'
import { kinds, memoryOf, startServer } from './servers.mjs'

const eventsPerSecond = Number(process.env.BENCH_WATCH_RATE ?? 5_000)
const measuredSeconds = Number(process.env.BENCH_WATCH_SECONDS ?? 15)
/** Ten changes a transaction: a writer of single puts would measure the machine's disk. */
const keysPerTxn = 10
const value = 'v'.repeat(128)
const longTaskMs = 50
const say = (line) => process.stdout.write(`${line}\n`)

async function launch(port) {
  const { app, page, folder } = await launchWindow(port, 'ui-watch')
  await page.getByText('Connected', { exact: true }).first().waitFor({ timeout: 60_000 })
  return { app, page, folder }
}

async function openWatch(page) {
  await page
    .getByRole('navigation', { name: 'Views' })
    .getByRole('button', { name: 'Watch', exact: true })
    .click()
  await page.getByRole('button', { name: 'New watch' }).first().click()
  await page.getByRole('textbox', { name: 'Key or prefix' }).fill('watched/')
  await page.getByRole('dialog').getByRole('button', { name: 'Watch', exact: true }).click()
  await page
    .getByTestId('watch-complete')
    .getByText(/^r\d+$/)
    .waitFor({ timeout: 60_000 })
}

/** Frames while the events come, and the longest time between two. */
function countFrames(page, seconds) {
  return page.evaluate(async (wanted) => {
    const endsAtMs = performance.now() + wanted * 1_000
    const gaps = []
    let lastMs = performance.now()
    while (lastMs < endsAtMs) {
      await new Promise((done) => requestAnimationFrame(done))
      const nowMs = performance.now()
      gaps.push(nowMs - lastMs)
      lastMs = nowMs
    }
    gaps.sort((left, right) => left - right)
    return {
      perSecond: gaps.length / wanted,
      p99Ms: gaps[Math.floor(gaps.length * 0.99)],
      longestMs: gaps.at(-1),
    }
  }, seconds)
}

/** Tasks of the page's main thread longer than 50 ms, with what ran in them. */
function longTasks(path, pid) {
  const { traceEvents } = JSON.parse(readFileSync(path, 'utf8'))
  const main = traceEvents.find(
    ({ name, pid: owner, args }) =>
      name === 'thread_name' && owner === pid && args?.name === 'CrRendererMain',
  )
  const own = traceEvents.filter(({ pid: owner, tid }) => owner === pid && tid === main?.tid)
  const tasks = own.filter(({ name, dur }) => name.endsWith('RunTask') && dur > 0)
  const busyMs = tasks.reduce((sum, { dur }) => sum + dur, 0) / 1_000
  const cpuMs = tasks.reduce((sum, { tdur = 0 }) => sum + tdur, 0) / 1_000
  const long = tasks.filter(({ dur }) => dur > longTaskMs * 1_000)
  return {
    busyMs,
    cpuMs,
    tasks: long.map(({ ts, dur, tdur }) => ({
      ms: Math.round(dur / 1_000),
      cpuMs: tdur === undefined ? undefined : Math.round(tdur / 1_000),
      parts: own
        .filter((one) => one.ts >= ts && one.ts < ts + dur && one.dur > 10_000)
        .map((one) => `${one.name} ${Math.round(one.dur / 1_000)} ms`)
        .slice(0, 6),
    })),
  }
}

const figure = async (page, testId) =>
  Number((await page.getByTestId(testId).innerText()).replaceAll(/[^\d]/g, ''))

function startWriter(port, seconds) {
  const keys = Array.from({ length: keysPerTxn }, (_, at) => `watched/team-${at % 4}/key-${at}`)
  const body = txnOfPutsBody(keys, value)
  return startJob({
    job: 'unary',
    port,
    connections: 1,
    streams: 8,
    durationMs: seconds * 1_000,
    source: { kind: 'fixed', path: paths.txn, template: body },
    ratePerSecond: eventsPerSecond / keysPerTxn,
  })
}

async function measure(kind) {
  const server = await startServer(kind)
  let launched
  try {
    launched = await launch(server.port)
    const { app, page } = launched
    await openWatch(page)
    const writer = startWriter(server.port, measuredSeconds + 4)
    await page.waitForFunction(
      () =>
        Number(document.querySelector('[data-testid=watch-total]').textContent.replace(/\D/g, '')) >
        1_000,
    )
    await app.evaluate(({ contentTracing }) =>
      contentTracing.startRecording({
        included_categories: ['toplevel', 'devtools.timeline', 'v8'],
      }),
    )
    const totalBefore = await figure(page, 'watch-total')
    const countedSinceMs = performance.now()
    const frames = await countFrames(page, measuredSeconds)
    const totalAfter = await figure(page, 'watch-total')
    const countedMs = performance.now() - countedSinceMs
    const path = await app.evaluate(({ contentTracing }) => contentTracing.stopRecording())
    const pid = await app.evaluate(({ BrowserWindow }) =>
      BrowserWindow.getAllWindows()[0].webContents.getOSProcessId(),
    )
    const { tasks, busyMs, cpuMs } = longTasks(path, pid)
    rmSync(path, { force: true })
    await writer.done
    const memory = memoryOf(pid)
    const rate = Math.round(((totalAfter - totalBefore) * 1_000) / countedMs)
    say(`${kind}: ${rate.toLocaleString('en')} events/s taken over ${measuredSeconds} s`)
    say(
      `  ${frames.perSecond.toFixed(1)} frames/s; between two frames p99 ${frames.p99Ms.toFixed(1)} ms, longest ${frames.longestMs.toFixed(1)} ms`,
    )
    const percent = (ms) => `${Math.round(ms / measuredSeconds / 10)} %`
    say(`  main thread of the page busy ${percent(busyMs)}, of the processor ${percent(cpuMs)}`)
    // On a machine that is busy with other things a task waits; what it took of the processor is its own.
    const ownCount = tasks.filter((task) => (task.cpuMs ?? task.ms) > longTaskMs).length
    say(`  tasks over ${longTaskMs} ms: ${tasks.length}, of the processor: ${ownCount}`)
    for (const task of tasks.slice(0, 8))
      say(`    ${task.ms} ms (cpu ${task.cpuMs ?? '?'} ms): ${task.parts.join(', ')}`)
    say(
      `  kept ${await page.getByTestId('watch-kept').innerText()}; renderer ${Math.round(memory.residentMb)} MB resident, ${Math.round(memory.anonymousMb)} MB its own`,
    )
  } finally {
    await launched?.app.close()
    if (launched !== undefined) rmSync(launched.folder, { recursive: true, force: true })
    await server.dispose()
  }
}

/** @param {string[]} words  servers to keep to; none: both */
export async function uiWatch(words = []) {
  const chosen = kinds.filter((kind) => words.length === 0 || words.includes(kind))
  for (const kind of chosen) await measure(kind)
}
