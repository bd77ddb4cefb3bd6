/** Walks a prefix page by page, each page from just behind the last key of the one before, as Kubernetes and key browsers do. */
import { forEachField, paths, rangeBody } from '../messages.mjs'
import { CallFailed, Connection } from './connection.mjs'
import { Histogram } from './histogram.mjs'

const keyValuesField = 2
const hasMoreField = 3
const keyField = 1

/** The last key of a RangeResponse with its prefix, and whether there are more. */
function readPage(bytes) {
  let lastPlace
  let hasMore = false
  forEachField(bytes, { start: 5, end: bytes.length }, (number, value, start, end) => {
    if (number === keyValuesField) lastPlace = { start, end }
    if (number === hasMoreField) hasMore = value === 1
  })
  let lastKey
  if (lastPlace) {
    forEachField(bytes, lastPlace, (number, _value, start, end) => {
      if (number === keyField) lastKey = Buffer.from(bytes.subarray(start, end))
    })
  }
  return { lastKey, hasMore }
}

const after = (key) => Buffer.concat([key, Buffer.from([0])])

/** One walker is one stream; each has at most one page in flight. */
export async function runPagesJob(job) {
  const histogram = new Histogram()
  let responseBytes = 0
  const startMs = performance.now()
  const untilMs = startMs + job.durationMs
  const walk = (connection) =>
    new Promise((resolve, reject) => {
      const nextPage = (key) => {
        const sentMs = performance.now()
        if (sentMs > untilMs) {
          resolve()
          return
        }
        const parts = []
        const onData = (bytes, start, end) => parts.push(Buffer.from(bytes.subarray(start, end)))
        const onEnd = (status) => {
          if (status !== 0) {
            reject(new CallFailed(paths.range, status))
            return
          }
          const message = Buffer.concat(parts)
          const { lastKey, hasMore } = readPage(message)
          histogram.record(performance.now() - sentMs)
          responseBytes += message.length
          nextPage(hasMore ? after(lastKey) : job.key)
        }
        const { rangeEnd, limit, isSerializable } = job
        const body = rangeBody(key, { rangeEnd, limit, isSerializable })
        connection.request(paths.range, body, { onData, onEnd })
      }
      nextPage(job.key)
    })
  let fail
  const failed = new Promise((_resolve, reject) => {
    fail = reject
  })
  const connections = Array.from(
    { length: job.connections },
    () => new Connection({ port: job.port, onFailure: fail }),
  )
  try {
    await Promise.race([Promise.all(connections.map((connection) => walk(connection))), failed])
  } finally {
    connections.forEach((connection) => connection.close())
  }
  const seconds = (performance.now() - startMs) / 1000
  return { count: histogram.count, seconds, responseBytes, histogram: histogram.toJson() }
}
