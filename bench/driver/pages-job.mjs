/** Walks a prefix page by page, each page from just behind the last key of the one before, as Kubernetes and key browsers do. */
import { paths, rangeBody } from '../messages.mjs'
import { CallFailed, Connection } from './connection.mjs'
import { Histogram } from './histogram.mjs'

const framePrefixBytes = 5
const tags = { header: 0x0a, pair: 0x12, more: 0x18, count: 0x20, key: 0x0a }

/**
 * Takes one RangeResponse after another, in the pieces in which they come: everything is copied once into memory that is used
 * again, and only the heads of the pairs are looked at, so that the server is what is measured.
 */
class PageReader {
  #bytes = Buffer.allocUnsafeSlow(262_144)
  #length = 0
  #at = 0

  take(bytes, start, end) {
    if (this.#length + end - start > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow((this.#length + end - start) * 2)
      this.#bytes.copy(larger, 0, 0, this.#length)
      this.#bytes = larger
    }
    bytes.copy(this.#bytes, this.#length, start, end)
    this.#length += end - start
  }

  /** The last key of what was taken, whether there are more behind it, and the size of it all; then it is forgotten. */
  finish() {
    const sizeBytes = this.#length
    let lastPair = -1
    let hasMore = false
    this.#at = framePrefixBytes
    while (this.#at < sizeBytes) {
      const tag = this.#bytes[this.#at++]
      const number = this.#varint()
      if (tag === tags.pair) lastPair = this.#at
      else if (tag === tags.more) hasMore = number === 1
      else if (tag !== tags.header && tag !== tags.count) throw new Error(`tag ${tag} is not known`)
      if (tag === tags.pair || tag === tags.header) this.#at += number
    }
    this.#length = 0
    return { lastKey: lastPair < 0 ? undefined : this.#keyAt(lastPair), hasMore, sizeBytes }
  }

  #keyAt(pair) {
    this.#at = pair + 1
    if (this.#bytes[pair] !== tags.key) throw new Error('a pair begins with its key')
    const sizeBytes = this.#varint()
    return Buffer.from(this.#bytes.subarray(this.#at, this.#at + sizeBytes))
  }

  #varint() {
    let value = 0
    let scale = 1
    for (;;) {
      const byte = this.#bytes[this.#at++]
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
      scale *= 0x80
    }
  }
}

const after = (key) => Buffer.concat([key, Buffer.from([0])])

/** One walker is one stream; each has at most one page in flight. */
export async function runPagesJob(job) {
  const histogram = new Histogram()
  let responseBytes = 0
  const fromMs = performance.now() + (job.warmUpMs ?? 0)
  const untilMs = fromMs + job.durationMs
  const walk = (connection) =>
    new Promise((resolve, reject) => {
      const reader = new PageReader()
      const onData = (bytes, start, end) => reader.take(bytes, start, end)
      const nextPage = (key) => {
        const sentMs = performance.now()
        if (sentMs > untilMs) {
          resolve()
          return
        }
        const onEnd = (status) => {
          if (status !== 0) {
            reject(new CallFailed(paths.range, status))
            return
          }
          const { lastKey, hasMore, sizeBytes } = reader.finish()
          const endedMs = performance.now()
          if (endedMs >= fromMs) {
            histogram.record(endedMs - sentMs)
            responseBytes += sizeBytes
          }
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
  const seconds = (performance.now() - fromMs) / 1000
  return { count: histogram.count, seconds, responseBytes, histogram: histogram.toJson() }
}
