/**
 * Unary calls. In a closed loop each slot (a stream of a connection) sends its next request when its last one was answered; with
 * `ratePerSecond` requests start at their times whether or not earlier ones were answered, so that a server which stands still is
 * charged for all that had to wait meanwhile.
 */
import { CallFailed, Connection } from './connection.mjs'
import { Histogram } from './histogram.mjs'
import { createSource } from './sources.mjs'

const maxWaiting = 50_000
const tickMs = 1

/** Counts what was answered between the end of the warm-up and the end of the job. */
class Tally {
  histogram = new Histogram()
  responseBytes = 0
  #fromMs
  #untilMs

  constructor({ warmUpMs = 0, durationMs }) {
    this.#fromMs = performance.now() + warmUpMs
    this.#untilMs = durationMs === undefined ? Infinity : this.#fromMs + durationMs
    this.untilMs = this.#untilMs
    this.fromMs = this.#fromMs
  }

  add(sentMs, bytes) {
    const nowMs = performance.now()
    if (nowMs < this.#fromMs || nowMs > this.#untilMs) return
    this.histogram.record(nowMs - sentMs)
    this.responseBytes += bytes
  }

  result() {
    const seconds = (Math.min(performance.now(), this.#untilMs) - this.#fromMs) / 1000
    const { histogram, responseBytes } = this
    return { count: histogram.count, seconds, responseBytes, histogram: histogram.toJson() }
  }
}

async function openConnections(port, count) {
  const state = { failure: undefined, onFailure: undefined }
  const onFailure = (error) => {
    state.failure ??= error
    state.onFailure?.(error)
  }
  const all = Array.from({ length: count }, () => new Connection({ port, onFailure }))
  await Promise.all(all.map((connection) => connection.ready))
  return { all, state, close: () => all.forEach((connection) => connection.close()) }
}

class Slot {
  #connection
  #source
  #tally
  #finish
  #sentMs = 0
  #bytes = 0

  constructor({ connection, source, tally, finish }) {
    this.#connection = connection
    this.#source = source
    this.#tally = tally
    this.#finish = finish
  }

  send() {
    const nowMs = performance.now()
    const body = nowMs < this.#tally.untilMs ? this.#source.next() : undefined
    if (body === undefined) {
      this.#finish()
      return
    }
    this.#bytes = 0
    this.#sentMs = nowMs
    this.#connection.request(this.#source.path, body, this)
  }

  onData(_bytes, start, end) {
    this.#bytes += end - start
  }

  onEnd(status) {
    if (status !== 0) {
      this.#finish(new CallFailed(this.#source.path, status))
      return
    }
    this.#tally.add(this.#sentMs, this.#bytes)
    this.send()
  }
}

function closedLoop(job, connections, tally) {
  const source = createSource(job.source)
  return new Promise((resolve, reject) => {
    let running = job.connections * job.streams
    const finish = (error) => {
      if (error) reject(error)
      else if (--running === 0) resolve()
    }
    connections.state.onFailure = reject
    for (const connection of connections.all) {
      for (let stream = 0; stream < job.streams; stream++) {
        new Slot({ connection, source, tally, finish }).send()
      }
    }
  })
}

function openLoop(job, connections, tally) {
  const source = createSource(job.source)
  const periodMs = 1000 / job.ratePerSecond
  return new Promise((resolve, reject) => {
    connections.state.onFailure = reject
    let plannedMs = performance.now()
    let sentCount = 0
    let waitingCount = 0
    const send = (sentMs) => {
      waitingCount++
      if (waitingCount > maxWaiting) reject(new Error(`${maxWaiting} requests wait`))
      const onEnd = (status) => {
        waitingCount--
        if (status !== 0) reject(new CallFailed(source.path, status))
        tally.add(sentMs, 0)
      }
      connections.all[sentCount++ % connections.all.length].request(source.path, source.next(), {
        onEnd,
      })
    }
    const turn = () => {
      const nowMs = performance.now()
      while (plannedMs <= nowMs && plannedMs < tally.untilMs && !job.isStopped) {
        send(nowMs)
        plannedMs += periodMs
      }
      const isOver = job.isStopped || nowMs >= tally.untilMs
      if (isOver && waitingCount === 0) resolve()
      else setTimeout(turn, tickMs)
    }
    turn()
  })
}

/** Runs one job of unary calls; see `run` in pool.mjs for what comes back. */
export async function runUnaryJob(job) {
  const connections = await openConnections(job.port, job.connections)
  const tally = new Tally(job)
  try {
    await (job.ratePerSecond === undefined ? closedLoop : openLoop)(job, connections, tally)
    return tally.result()
  } finally {
    connections.close()
  }
}
