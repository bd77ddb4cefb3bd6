/**
 * Reads what strace wrote of a server, and decides for each answered put whether it was durable first.
 *
 * The rule: the bytes that answer a put may be handed to the socket only after a sync of the log ended that began after the write
 * that holds the put had ended. strace sees a call begin no later than the kernel does and end no earlier, so the order of its lines
 * never flatters the server.
 *
 * What belongs together: each put's value is a marker made of the client's port and the HTTP/2 stream, so that the write to the log
 * is found by the marker, and the answer is the first DATA frame of that stream on the socket to that port.
 */
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'

/** The calls that a server can write and sync with. */
export const tracedCalls = [
  'fdatasync',
  'fsync',
  'write',
  'writev',
  'pwrite64',
  'pwritev',
  'pwritev2',
  'sendto',
  'sendmsg',
  'sendmmsg',
].join(',')

const frameHeaderBytes = 9
const dataFrame = 0
const syncCalls = new Set(['fdatasync', 'fsync'])
const markerPattern = /<(\d{5}):(\d{8})>/g

/** The value of a put: 16 bytes that occur nowhere else. */
export const markerOf = (port, streamId) =>
  `<${String(port).padStart(5, '0')}:${String(streamId).padStart(8, '0')}>`
const markerBytes = markerOf(0, 0).length

function bytesOf(text, length) {
  const parts = []
  for (const [, hex] of text.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)) {
    parts.push(Buffer.from(hex.replaceAll('\\x', ''), 'hex'))
  }
  return Buffer.concat(parts).subarray(0, length)
}

/** Names of files come in hexadecimal too, those of sockets do not. */
const textOf = (name) =>
  name.startsWith('\\x') ? Buffer.from(name.replaceAll('\\x', ''), 'hex').toString('latin1') : name

/** Follows the lines of one trace. `violations` holds the markers of puts that were answered too early. */
export class TraceReader {
  answeredCount = 0
  syncCount = 0
  violations = []
  #order = 0
  #unfinished = new Map()
  /** By marker: the file, and when the write that holds it ended. */
  #logWrites = new Map()
  #logTails = new Map()
  /** By file: the latest begin among the syncs that have ended. */
  #lastSyncStarts = new Map()
  #sockets = new Map()

  /** One line of `strace -f -yy -xx`. */
  takeLine(line) {
    const match = /^(\d+)\s+(.*)$/.exec(line)
    if (!match) return
    const [, thread, text] = match
    const order = this.#order++
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(text)
    if (resumed) {
      const begun = this.#unfinished.get(thread)
      this.#unfinished.delete(thread)
      if (begun) this.#end({ ...begun, text: begun.text + resumed[1], endOrder: order })
      return
    }
    const call = /^(\w+)\(\d+<(.*?)>(?=[,)]| <unfinished)/.exec(text)
    if (!call) return
    const target = textOf(call[2])
    const started = { name: call[1], target, startOrder: order, text }
    if (text.endsWith('<unfinished ...>')) {
      started.text = text.slice(0, -'<unfinished ...>'.length)
      this.#unfinished.set(thread, started)
      this.#begin(started)
      return
    }
    this.#begin(started)
    this.#end({ ...started, endOrder: order })
  }

  /** What is given to a socket counts from the moment of the call. */
  #begin({ target, text }) {
    const peer = /^TCP(?:v6)?:\[.*:\d+->.*:(\d+)\]$/.exec(target)
    if (peer) this.#answer(peer[1], bytesOf(text))
  }

  #end({ name, target, text, startOrder, endOrder }) {
    if (!target.includes('/wal/')) return
    const result = Number(/= (-?\d+)/.exec(text.slice(text.lastIndexOf(')')))?.[1])
    if (!(result >= 0)) return
    if (syncCalls.has(name)) {
      this.syncCount++
      const last = this.#lastSyncStarts.get(target) ?? -1
      this.#lastSyncStarts.set(target, Math.max(last, startOrder))
      return
    }
    const bytes = Buffer.concat([
      this.#logTails.get(target) ?? Buffer.alloc(0),
      bytesOf(text, result),
    ])
    for (const [, port, streamId] of bytes.toString('latin1').matchAll(markerPattern)) {
      const key = `${Number(port)}:${Number(streamId)}`
      if (!this.#logWrites.has(key)) this.#logWrites.set(key, { target, endOrder })
    }
    // A marker may begin in one write and end in the next.
    this.#logTails.set(target, bytes.subarray(Math.max(0, bytes.length - markerBytes + 1)))
  }

  #answer(port, bytes) {
    const socket = this.#sockets.get(port) ?? { rest: Buffer.alloc(0), answered: new Set() }
    this.#sockets.set(port, socket)
    let rest = Buffer.concat([socket.rest, bytes])
    while (rest.length >= frameHeaderBytes) {
      const length = rest.readUIntBE(0, 3)
      const streamId = rest.readUInt32BE(5)
      if (rest[3] === dataFrame && length > 0 && !socket.answered.has(streamId)) {
        socket.answered.add(streamId)
        this.#judge(`${Number(port)}:${streamId}`)
      }
      if (rest.length < frameHeaderBytes + length) break
      rest = rest.subarray(frameHeaderBytes + length)
    }
    socket.rest = Buffer.from(rest)
  }

  #judge(key) {
    this.answeredCount++
    const written = this.#logWrites.get(key)
    const isDurable =
      written !== undefined && (this.#lastSyncStarts.get(written.target) ?? -1) > written.endOrder
    if (!isDurable) this.violations.push(key)
  }
}

/** @returns {Promise<TraceReader>} after the whole file */
export async function readTrace(file) {
  const reader = new TraceReader()
  for await (const line of createInterface({ input: createReadStream(file, 'latin1') })) {
    reader.takeLine(line)
  }
  return reader
}
