/** How the window feels: the frames of a stretch of time, and how long real keys and clicks take until they are painted. */
/* global PerformanceObserver, requestAnimationFrame -- of the functions that run in the page */

/** Events that are painted sooner than this are not told one by one. */
const toldAboveMs = 16

const quantile = (sorted, part) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0

/** Frames of some seconds: how many a second, and the time between two. */
export async function countFrames(page, seconds) {
  const { gaps, elapsedMs } = await page.evaluate(async (wanted) => {
    const found = []
    const beganMs = performance.now()
    let lastMs = beganMs
    while (lastMs < beganMs + wanted * 1_000) {
      await new Promise((done) => requestAnimationFrame(done))
      const nowMs = performance.now()
      found.push(nowMs - lastMs)
      lastMs = nowMs
    }
    return { gaps: found, elapsedMs: lastMs - beganMs }
  }, seconds)
  const sorted = gaps.toSorted((left, right) => left - right)
  return {
    perSecond: (gaps.length * 1_000) / elapsedMs,
    p50Ms: quantile(sorted, 0.5),
    p99Ms: quantile(sorted, 0.99),
    longestMs: sorted.at(-1) ?? 0,
  }
}

/**
 * Acts on the window through its real input, again and again, and answers how long each act took until its frame was shown: the
 * browser's own measure (Event Timing), from when the system told of the input, in steps of 8 ms.
 *
 * @param {(round: number) => Promise<unknown>} act  presses one key or clicks once
 */
export async function measureInput(page, { rounds, everyMs }, act) {
  await page.evaluate((thresholdMs) => {
    const seen = { durations: new Map(), kinds: new Map() }
    seen.observer = new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        if (!['keydown', 'pointerdown'].includes(entry.name)) continue
        seen.durations.set(`${entry.name} ${entry.startTime}`, entry.duration)
      }
    })
    seen.observer.observe({ type: 'event', durationThreshold: thresholdMs })
    globalThis.benchInput = seen
  }, toldAboveMs)
  for (let round = 0; round < rounds; round++) {
    const beganMs = performance.now()
    await act(round)
    const restMs = everyMs - (performance.now() - beganMs)
    await new Promise((done) => setTimeout(done, Math.max(0, restMs)))
  }
  const told = await page.evaluate(async () => {
    // What the last frames tell comes after them.
    await new Promise((done) => setTimeout(done, 500))
    const { durations, observer } = globalThis.benchInput
    observer.disconnect()
    delete globalThis.benchInput
    return [...durations.values()]
  })
  const quick = Array.from({ length: Math.max(0, rounds - told.length) }, () => toldAboveMs)
  const sorted = [...quick, ...told].sort((left, right) => left - right)
  return { p50Ms: quantile(sorted, 0.5), p99Ms: quantile(sorted, 0.99), longestMs: sorted.at(-1) }
}

/** One line about the frames. */
export const framesText = ({ perSecond, p50Ms, p99Ms, longestMs }) =>
  `${perSecond.toFixed(1)} frames/s; between two p50 ${p50Ms.toFixed(1)}, p99 ${p99Ms.toFixed(1)}, longest ${longestMs.toFixed(0)} ms`

/** One line about the input; what is quicker than can be told counts as that. */
export const inputText = ({ p50Ms, p99Ms, longestMs }) =>
  `input to its frame p50 ${latencyText(p50Ms)}, p99 ${latencyText(p99Ms)}, longest ${latencyText(longestMs)}`

const latencyText = (value) => (value <= toldAboveMs ? `≤ ${toldAboveMs} ms` : `${value} ms`)
