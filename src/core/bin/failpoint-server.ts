/**
 * Arms failpoints over HTTP and from the environment, for processes that were started to be tested (`--quorate-failpoints`).
 *
 * The protocol is that of etcd's test builds: `GET /` lists `name=term` a line, `PUT /name` with a term sets one,
 * `DELETE /name` removes it; `GOFAIL_FAILPOINTS=name=term;…` sets some from the start. A term is `panic`, `sleep("1s")` or
 * `sleep(milliseconds)` or `return("text")`, after `N*` only for the next N times. `panic` kills the process at that very
 * place, so that nothing is tidied up after it. `sleep` lets the rest of the process go on at places that can wait; at the
 * others it holds all of the process, whose parts share one thread. `return` is for the few places that can fail, and
 * passes the others.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import {
  armFailpoints,
  failpointNames,
  type FailpointName,
  type ReachedFailpoint,
} from '../base/failpoints.ts'
import { parseDurationMs } from './flag-values.ts'

interface Term {
  readonly text: string
  readonly action:
    | { readonly kind: 'panic' }
    | { readonly kind: 'sleep'; readonly ms: number }
    | { readonly kind: 'return'; readonly text: string }
  /** Times that are left; infinite without a count. */
  leftCount: number
}

const names: ReadonlySet<string> = new Set(failpointNames)
const termSizeBytesMax = 1_024

/** The failpoints of one process. */
export class Failpoints {
  private readonly terms = new Map<FailpointName, Term>()

  /**
   * Arms what the text says, and keeps all places told.
   * @param text  `name=term;name=term…`
   * @throws Error  a name or a term that does not exist
   */
  constructor(text: string) {
    for (const part of text.split(';').filter((each) => each !== '')) {
      const at = part.indexOf('=')
      this.set(part.slice(0, Math.max(at, 0)), part.slice(at + 1))
    }
    armFailpoints((name) => this.reach(name))
  }

  /** @throws Error  a name or a term that does not exist */
  set(name: string, text: string): void {
    const known = knownName(name)
    if (known === undefined) throw new Error(`failpoint: failpoint does not exist: ${name}`)
    const term = parseTerm(text.trim())
    if (term === undefined) throw new Error(`failpoint: could not parse "${text.trim()}"`)
    this.terms.set(known, term)
  }

  /** @returns whether it was set */
  remove(name: string): boolean {
    const known = knownName(name)
    return known !== undefined && this.terms.delete(known)
  }

  /** `name=term` of every place, a line each. */
  list(): string {
    return failpointNames.map((name) => `${name}=${this.terms.get(name)?.text ?? ''}\n`).join('')
  }

  /** Listens. @param address  host and port; @throws Error  the system's */
  listen(address: string): Promise<void> {
    const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(address) ?? []
    const server = createServer((request, response) => {
      void this.answer(request, response)
    })
    // A node that ends does not wait for its tester.
    server.unref()
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(Number(port), host.replace(/^\[|\]$/g, '') || '127.0.0.1', resolve)
    })
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const end = (status: number, body = ''): void => {
      response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(body)
    }
    const name = (request.url ?? '/').slice(1)
    try {
      let body = ''
      request.setEncoding('utf8')
      for await (const piece of request) {
        body += String(piece)
        if (body.length > termSizeBytesMax) throw new Error('failpoint: the term is too long')
      }
      if (request.method === 'GET' && name === '') end(200, this.list())
      else if (request.method === 'PUT') {
        this.set(name, body)
        end(204)
      } else if (request.method === 'DELETE') end(this.remove(name) ? 204 : 404)
      else end(404)
    } catch (error) {
      end(400, `${error instanceof Error ? error.message : String(error)}\n`)
    }
  }

  private reach(name: FailpointName): ReachedFailpoint | undefined {
    const term = this.terms.get(name)
    if (term === undefined || term.leftCount <= 0) return undefined
    term.leftCount--
    const { action } = term
    if (action.kind === 'return') return { failure: action.text }
    if (action.kind === 'sleep') return { pause: pauseOf(action.ms) }
    process.kill(process.pid, 'SIGKILL')
    // Nothing of this process happens any more.
    hold(Infinity)
    return undefined
  }
}

function knownName(name: string): FailpointName | undefined {
  return names.has(name) ? (name as FailpointName) : undefined
}

function parseTerm(text: string): Term | undefined {
  const [, countText, kind, argument = ''] =
    /^(?:(\d+)\*)?(panic|sleep|return)(?:\((.*)\))?$/.exec(text) ?? []
  const leftCount = countText === undefined ? Infinity : Number(countText)
  if (kind === 'panic') return { text, action: { kind }, leftCount }
  const quoted = /^"(.*)"$/.exec(argument)?.[1]
  if (kind === 'return') {
    return { text, action: { kind, text: quoted ?? argument }, leftCount }
  }
  if (kind !== 'sleep') return undefined
  const ms = quoted === undefined ? Number(argument || NaN) : parseDurationMs(quoted)
  if (ms === undefined || !(ms >= 0)) return undefined
  return { text, action: { kind, ms }, leftCount }
}

function pauseOf(ms: number): NonNullable<ReachedFailpoint['pause']> {
  return {
    wait: () => new Promise((resolve) => setTimeout(resolve, ms)),
    hold: () => {
      hold(ms)
    },
  }
}

/** Lets the thread do nothing for so long. */
function hold(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}
