/**
 * `npm run bench -- ui-watch`: what the watch pane does to the window while thousands of events a second come in. A real Electron, our
 * node and a real etcd behind it, and a writer in a process of its own. Needs a built app and a display; `BENCH_WATCH_RATE` (5,000)
 * events a second, `BENCH_WATCH_SECONDS` (15).
 *
 * So that the figures can be judged, the same is told of the window before anything is written, and of the same load while another
 * screen is shown, and while the pane is paused. A trace slows the window down, so that it is taken apart from the frames.
 */
/* global document -- of the functions that run in the page */
import { rmSync } from 'node:fs'
import { launchWindow } from './app-window.mjs'
import { startJob } from './driver/pool.mjs'
import { paths, txnOfPutsBody } from './messages.mjs'
import { countProcessorTime, processorLines } from './processor-time.mjs'
import { kinds, memoryOf, opponent, startServer } from './servers.mjs'
import { countFrames, framesText, inputText, measureInput } from './window-feel.mjs'
import { longTaskMs, rendererPid, traced } from './window-trace.mjs'

const eventsPerSecond = Number(process.env.BENCH_WATCH_RATE ?? 5_000)
const measuredSeconds = Number(process.env.BENCH_WATCH_SECONDS ?? 15)
/** Stretches that only tell what the window does otherwise. */
const baselineSeconds = Math.min(5, measuredSeconds)
const inputRounds = 200
const inputEveryMs = 50
/** Ten changes a transaction: a writer of single puts would measure the machine's disk. */
const keysPerTxn = 10
const value = 'v'.repeat(128)
const patience = { timeout: 60_000 }
const say = (line) => process.stdout.write(`${line}\n`)

async function launch(port) {
  const { app, page, folder } = await launchWindow(port, 'ui-watch')
  await page.getByText('Connected', { exact: true }).first().waitFor(patience)
  return { app, page, folder }
}

const showView = (page, name) =>
  page.getByRole('navigation', { name: 'Views' }).getByRole('button', { name, exact: true }).click()

async function openWatch(page) {
  await showView(page, 'Watch')
  await page.getByRole('button', { name: 'New watch' }).first().click()
  await page.getByRole('textbox', { name: 'Key or prefix' }).fill('watched/')
  await page.getByRole('dialog').getByRole('button', { name: 'Watch', exact: true }).click()
  await page
    .getByTestId('watch-complete')
    .getByText(/^r\d+$/)
    .waitFor(patience)
}

const figure = async (page, testId) =>
  Number((await page.getByTestId(testId).innerText()).replaceAll(/[^\d]/g, ''))

function startWriter(port) {
  const keys = Array.from({ length: keysPerTxn }, (_, at) => `watched/team-${at % 4}/key-${at}`)
  const body = txnOfPutsBody(keys, value)
  return startJob({
    job: 'unary',
    port,
    connections: 1,
    streams: 8,
    source: { kind: 'fixed', path: paths.txn, template: body },
    ratePerSecond: eventsPerSecond / keysPerTxn,
  })
}

/** Waits until some of the events have come. */
const untilBusy = (page) =>
  page.waitForFunction(
    () =>
      Number(document.querySelector('[data-testid=watch-total]').textContent.replace(/\D/g, '')) >
      1_000,
  )

/** The keys and clicks of a user who looks at single events: the choice moves down, or goes to where the pointer is. */
async function useList(page) {
  const list = page.getByTestId('watch-list')
  const box = await list.boundingBox()
  await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2)
  const measured = await measureInput(
    page,
    { rounds: inputRounds, everyMs: inputEveryMs },
    (round) =>
      round % 2 === 0
        ? page.keyboard.press('ArrowDown')
        : page.mouse.click(box.x + box.width / 2, box.y + 40 + (round % 10) * 20),
  )
  await page.keyboard.press('Control+End')
  return measured
}

/** The keys of a user of another screen, who opens and closes the side of the window. */
const useOther = (page) =>
  measureInput(page, { rounds: inputRounds / 2, everyMs: inputEveryMs }, () =>
    page.keyboard.press('Control+b'),
  )

async function sayFeel(what, { page, of }, { seconds, use }) {
  const endCount = countProcessorTime(of)
  const frames = await countFrames(page, seconds)
  const processor = endCount()
  say(`  ${what}: ${framesText(frames)}`)
  for (const line of processorLines(processor)) say(`      ${line}`)
  if (use !== undefined) say(`      ${inputText(await use(page))}`)
}

async function sayTasks({ app, page }) {
  const { tasks } = await traced(app, () => countFrames(page, baselineSeconds))
  const ownCount = tasks.filter(({ cpuMs }) => cpuMs > longTaskMs).length
  // On a machine that is busy with other things a task waits; what it took of the processor is its own.
  say(
    `    tasks over ${longTaskMs} ms in ${baselineSeconds} s of a trace: ${tasks.length}, of the processor: ${ownCount}`,
  )
  const ms = (time) => `${Math.round(time)} ms`
  for (const task of tasks.slice(0, 4))
    say(
      `      ${ms(task.ms)}: ${ms(task.cpuMs)} CPU, of it script ${ms(task.scriptMs)}, style, layout, paint and collection ${ms(task.browserMs)}`,
    )
}

async function measureLoaded({ app, page, of }) {
  const beforeCount = await figure(page, 'watch-total')
  const sinceMs = performance.now()
  await sayFeel('following', { page, of }, { seconds: measuredSeconds })
  const rate = ((await figure(page, 'watch-total')) - beforeCount) / (performance.now() - sinceMs)
  say(`    ${Math.round(rate * 1_000).toLocaleString('en')} events/s taken`)
  say(`    with the list in use: ${inputText(await useList(page))}`)
  await sayTasks({ app, page })
  // The list has the focus, where this key pauses.
  await page.keyboard.press('Space')
  await sayFeel('the pane paused', { page, of }, { seconds: baselineSeconds })
  await page.keyboard.press('Space')
  await showView(page, 'Settings')
  await sayFeel('another screen', { page, of }, { seconds: baselineSeconds, use: useOther })
  await showView(page, 'Watch')
}

async function measure(kind) {
  const server = await startServer(kind)
  let launched
  let writer
  try {
    launched = await launch(server.port)
    const { app, page } = launched
    await openWatch(page)
    const of = { appPid: app.process().pid, serverPid: server.pid }
    say(kind === 'etcd' ? `etcd ${opponent().version}` : kind)
    await sayFeel('nothing written', { page, of }, { seconds: baselineSeconds })
    writer = startWriter(server.port)
    await untilBusy(page)
    await measureLoaded({ app, page, of })
    writer.stop()
    await writer.done
    writer = undefined
    const memory = memoryOf(await rendererPid(app))
    say(
      `  kept ${await page.getByTestId('watch-kept').innerText()}; renderer ${Math.round(memory.residentMb)} MB resident, ${Math.round(memory.anonymousMb)} MB its own`,
    )
  } finally {
    writer?.stop()
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
