/**
 * Watchers on many streams. Each event is counted, and its delay is taken from the moment that the writer stamped into the value
 * (source `stamped`), on the clock that all processes of the machine share.
 */
import { forEachField, paths, watchCreateBody } from '../messages.mjs'
import { CallFailed, Connection } from './connection.mjs'
import { Histogram } from './histogram.mjs'
import { monotonicMs } from './sources.mjs'

const createdField = 3
const canceledField = 4
const eventsField = 11
const prefixBytes = 5
const noBytes = Buffer.alloc(0)

/** One watch stream: cuts what arrives into messages and hands each on, without its prefix. */
class WatchStream {
  #rest = noBytes
  #onMessage
  #onEnd

  constructor({ onMessage, onEnd }) {
    this.#onMessage = onMessage
    this.#onEnd = onEnd
  }

  onData(bytes, start, end) {
    if (this.#rest.length > 0) {
      const joined = Buffer.concat([this.#rest, bytes.subarray(start, end)])
      const taken = this.#take(joined, 0, joined.length)
      this.#rest = joined.subarray(taken)
      return
    }
    const taken = this.#take(bytes, start, end)
    this.#rest = taken === end ? noBytes : Buffer.from(bytes.subarray(taken, end))
  }

  onEnd(status) {
    this.#onEnd(status)
  }

  #take(bytes, start, end) {
    let at = start
    while (at + prefixBytes <= end) {
      const next = at + prefixBytes + bytes.readUInt32BE(at + 1)
      if (next > end) break
      this.#onMessage(bytes, at + prefixBytes, next)
      at = next
    }
    return at
  }
}

/** Counts watchers as they are created, and events as they come. */
class Audience {
  createdCount = 0
  eventCount = 0
  eventBytes = 0
  histogram = new Histogram()
  #stampFromEnd
  #onCreated

  constructor({ stampFromEnd, onCreated }) {
    this.#stampFromEnd = stampFromEnd
    this.#onCreated = onCreated
  }

  startCounting() {
    this.eventCount = 0
    this.eventBytes = 0
    this.histogram = new Histogram()
  }

  take(bytes, start, end) {
    let nowMs
    forEachField(bytes, { start, end }, (number, value, _fieldStart, fieldEnd) => {
      if (number === eventsField) {
        this.eventCount++
        nowMs ??= monotonicMs()
        // The value is the last field of a key without lease, and the key-value the last of an event.
        if (this.#stampFromEnd !== undefined) {
          this.histogram.record(nowMs - bytes.readDoubleLE(fieldEnd - this.#stampFromEnd))
        }
      } else if (number === createdField && value === 1) this.#onCreated(++this.createdCount)
      else if (number === canceledField && value === 1) throw new Error('a watcher was cancelled')
    })
    this.eventBytes += end - start
  }
}

/**
 * Opens `connections` × `streams` × `watchers` watchers, reports progress once all exist, and counts until it is stopped. With
 * `areKeysApart` each watches a key of its own, otherwise all watch the prefix `key` to `rangeEnd`.
 */
export async function runWatchJob(job, report) {
  const total = job.connections * job.streams * job.watchers
  let fail
  const failed = new Promise((_resolve, reject) => {
    fail = reject
  })
  let settleCreated
  const created = new Promise((resolve) => {
    settleCreated = resolve
  })
  const audience = new Audience({
    stampFromEnd: job.stampFromEnd,
    onCreated: (count) => count === total && settleCreated(),
  })
  const connections = Array.from(
    { length: job.connections },
    () => new Connection({ port: job.port, onFailure: fail }),
  )
  const stopped = new Promise((resolve) => {
    job.onStop = resolve
  })
  try {
    await Promise.race([Promise.all(connections.map((connection) => connection.ready)), failed])
    let number = 0
    for (const connection of connections) {
      for (let stream = 0; stream < job.streams; stream++) {
        openStream(connection, { job, audience, fail, firstNumber: number })
        number += job.watchers
      }
    }
    await Promise.race([created, failed])
    audience.startCounting()
    const startMs = performance.now()
    report('ready')
    await Promise.race([stopped, failed])
    return {
      count: audience.eventCount,
      seconds: (performance.now() - startMs) / 1000,
      responseBytes: audience.eventBytes,
      histogram: audience.histogram.toJson(),
    }
  } finally {
    connections.forEach((connection) => connection.close())
  }
}

function openStream(connection, { job, audience, fail, firstNumber }) {
  const handler = new WatchStream({
    onMessage: (bytes, start, end) => {
      try {
        audience.take(bytes, start, end)
      } catch (error) {
        fail(error)
      }
    },
    onEnd: (status) => fail(new CallFailed(paths.watch, status)),
  })
  const bodyOf = (number) =>
    job.areKeysApart
      ? watchCreateBody(`${job.key}${number}`)
      : watchCreateBody(job.key, job.rangeEnd)
  const streamId = connection.request(paths.watch, bodyOf(firstNumber), handler, true)
  if (streamId === 0) throw new Error('too many watchers for one connection')
  for (let index = 1; index < job.watchers; index++) {
    connection.sendMore(streamId, bodyOf(firstNumber + index))
  }
}
