/** Worker processes of the load generator, from the parent's side. */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { Histogram } from './histogram.mjs'

const workerFile = fileURLToPath(new URL('./worker.mjs', import.meta.url))

/**
 * Starts a job in a process of its own.
 * @returns {{ ready: Promise<void>, done: Promise<object>, stop: () => void }} `ready` is for jobs that tell when their setting up
 * is over; `stop` asks a job without a duration to end
 */
export function startJob(job) {
  const child = fork(workerFile, { serialization: 'advanced' })
  let settleReady
  const ready = new Promise((resolve) => {
    settleReady = resolve
  })
  const done = new Promise((resolve, reject) => {
    child.on('message', (message) => {
      if (message.progress) {
        settleReady()
        return
      }
      child.disconnect()
      if (message.error) reject(new Error(message.error))
      else resolve(message.result)
      settleReady()
    })
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`the load generator ended with code ${code}`)))
  })
  // A job that fails while nobody waits for it yet is heard of by whoever waits later.
  done.catch(() => settleReady())
  child.send(job)
  return { ready, done, stop: () => child.send('stop') }
}

/**
 * Runs jobs side by side, each in its own process, and adds their results up.
 * @returns {Promise<{ perSecond: number, count: number, seconds: number, bytesPerSecond: number, p50Ms?: number, p99Ms?: number,
 * maxMs: number }>}
 */
export async function run(...jobs) {
  const results = await Promise.all(jobs.map((job) => startJob(job).done))
  return summary(results)
}

/** What several processes counted in the same time, as one. */
export function summary(results) {
  const histogram = new Histogram()
  for (const result of results) histogram.add(result.histogram)
  const count = results.reduce((sum, result) => sum + result.count, 0)
  const bytes = results.reduce((sum, result) => sum + result.responseBytes, 0)
  const seconds = Math.max(...results.map((result) => result.seconds))
  return {
    count,
    seconds,
    perSecond: count / seconds,
    bytesPerSecond: bytes / seconds,
    p50Ms: histogram.quantileMs(0.5),
    p99Ms: histogram.quantileMs(0.99),
    maxMs: histogram.maxMs,
  }
}
