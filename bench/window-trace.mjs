/** What the main thread of the page does while something happens in the window, read from a trace of Chromium. */
import { readFileSync, rmSync } from 'node:fs'
import { memoryOf } from './servers.mjs'

/** A task that takes longer than this is felt. */
export const longTaskMs = 50

const scriptParts = new Set([
  ...['EvaluateScript', 'EventDispatch', 'FireAnimationFrame', 'FunctionCall', 'RunMicrotasks'],
  ...['TimerFire', 'v8.callFunction', 'v8.run'],
])
const browserParts = new Set([
  ...['Layerize', 'Layout', 'MajorGC', 'MinorGC', 'Paint', 'PrePaint', 'UpdateLayoutTree'],
])

/** CPU time of the events of some names in milliseconds; an event inside another one of them counts once. */
function cpuMsOf(events, names) {
  let sum = 0
  let endTs = 0
  for (const { name, ts, dur, tdur = 0 } of events) {
    if (!names.has(name) || ts < endTs) continue
    sum += tdur
    endTs = ts + dur
  }
  return sum / 1000
}

/**
 * Tasks of the page's main thread longer than 50 ms in a trace. On a machine that others use too, a task is also long because it had to
 * wait, so its CPU time is told beside, and what of that was script: ours, Vue's for us, and the driver of the measurement.
 */
function longTasks(path, pid) {
  const { traceEvents } = JSON.parse(readFileSync(path, 'utf8'))
  const main = traceEvents.find(
    ({ name, pid: owner, args }) =>
      name === 'thread_name' && owner === pid && args?.name === 'CrRendererMain',
  )
  if (main === undefined) throw new Error('the trace does not name the main thread of the page')
  const own = traceEvents
    .filter(({ pid: owner, tid, dur }) => owner === pid && tid === main.tid && dur > 0)
    .sort((left, right) => left.ts - right.ts || right.dur - left.dur)
  const tasks = own.filter(({ name, dur }) => name.endsWith('RunTask') && dur > longTaskMs * 1000)
  return tasks.map(({ ts, dur, tdur = 0 }) => {
    const inside = own.filter((one) => one.ts >= ts && one.ts + one.dur <= ts + dur)
    const browserMs = cpuMsOf(inside, browserParts)
    const isScript = ({ name }) => scriptParts.has(name)
    const scripts = inside.filter(isScript)
    const within = inside.filter(
      (one) =>
        browserParts.has(one.name) &&
        scripts.some((script) => script.ts <= one.ts && one.ts + one.dur <= script.ts + script.dur),
    )
    const scriptMs = cpuMsOf(inside, scriptParts) - cpuMsOf(within, browserParts)
    return { ms: dur / 1000, cpuMs: tdur / 1000, scriptMs, browserMs }
  })
}

/** The process that draws the window. */
export const rendererPid = (app) =>
  app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0].webContents.getOSProcessId())

/**
 * What an act answers, the page's tasks over 50 ms while it ran, longest first, and the page's memory after it.
 *
 * @param {import('playwright-core').ElectronApplication} app
 * @param {() => Promise<unknown>} act
 */
export async function traced(app, act) {
  await app.evaluate(({ contentTracing }) =>
    contentTracing.startRecording({ included_categories: ['toplevel', 'devtools.timeline', 'v8'] }),
  )
  const seen = await act()
  const path = await app.evaluate(({ contentTracing }) => contentTracing.stopRecording())
  const pid = await rendererPid(app)
  const tasks = longTasks(path, pid)
  rmSync(path, { force: true })
  tasks.sort((left, right) => right.ms - left.ms)
  return { seen, tasks, memory: memoryOf(pid) }
}
