/**
 * Plain HTTP on the client port: health, readiness and version, as probes and load balancers ask for them.
 *
 * @see etcd v3 API, "HTTP"
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { noNode } from '../base/ids.ts'
import type { Logger } from '../base/logger.ts'
import type { Alarm } from '../node/node-surface.ts'
import type { StoreNode } from '../node/store-node.ts'
import { RangeRequest } from '../proto/gen/rpc.ts'
import { isFatal } from './status-mapping.ts'

/** A check of `/livez` or `/readyz`; rejects with the reason when it fails. */
type Check = () => Promise<void>

interface Answer {
  readonly status: number
  readonly body: string
  readonly contentType?: string
  readonly headers?: Readonly<Record<string, string>>
}

export interface HttpEndpointsOptions {
  readonly logger: Logger
  /** Called with a bug or a storage fault that surfaced in a request. */
  readonly onFatal: (error: unknown) => void
}

const plainText = 'text/plain; charset=utf-8'
const corsHeaders = {
  'Access-Control-Allow-Methods': 'POST, GET, OPTIONS, PUT, DELETE',
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Allow-Headers': 'accept, content-type, authorization',
}
const notFound: Answer = { status: 404, body: '404 page not found\n', contentType: plainText }
const alarmNames = { noSpace: 'NOSPACE', corrupt: 'CORRUPT' } as const

/** Answers HTTP/1 requests on sockets that somebody else accepted. */
export class HttpEndpoints {
  private readonly node: StoreNode
  private readonly options: HttpEndpointsOptions
  private readonly server: Server

  constructor(node: StoreNode, options: HttpEndpointsOptions) {
    this.node = node
    this.options = options
    this.server = createServer({ keepAliveTimeout: 60_000, headersTimeout: 30_000 })
    this.server.on('request', (request, response) => {
      void this.serve(request, response)
    })
  }

  /** Takes over a socket on which a request is waiting. */
  accept(socket: Socket): void {
    this.server.emit('connection', socket)
  }

  /** Ends idle connections at once; a request that is being answered is the last of its connection. */
  close(): void {
    this.server.close()
    this.server.closeAllConnections()
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let answer: Answer
    try {
      answer = await this.answerTo(request)
    } catch (error) {
      if (isFatal(error)) this.options.onFatal(error)
      answer = { status: 500, body: `${reasonOf(error)}\n`, contentType: plainText }
    }
    if (response.destroyed) return
    response.writeHead(answer.status, {
      ...corsHeaders,
      ...answer.headers,
      'Content-Type': answer.contentType ?? plainText,
      'Content-Length': Buffer.byteLength(answer.body),
    })
    response.end(request.method === 'HEAD' ? undefined : answer.body)
  }

  private async answerTo(request: IncomingMessage): Promise<Answer> {
    const url = new URL(request.url ?? '/', 'http://node')
    const [, root = '', check] = url.pathname.split('/')
    const isKnown = ['health', 'version'].includes(root)
      ? check === undefined
      : ['livez', 'readyz'].includes(root)
    if (request.method === 'OPTIONS') return { status: 200, body: '' }
    if (!isKnown) return notFound
    if (request.method !== 'GET') {
      return {
        status: 405,
        body: 'Method Not Allowed\n',
        contentType: plainText,
        headers: { Allow: 'GET' },
      }
    }
    switch (root) {
      case 'health':
        return this.health(url.searchParams)
      case 'version':
        return this.version()
      case 'livez':
        return this.probe(this.liveChecks(), check, url.searchParams)
      default:
        return this.probe(this.readyChecks(), check, url.searchParams)
    }
  }

  private version(): Answer {
    const { version, storageVersion } = this.node.status()
    const [major = '', minor = ''] = version.split('.')
    return {
      status: 200,
      body: JSON.stringify({
        etcdserver: version,
        etcdcluster: `${major}.${minor}.0`,
        storage: storageVersion,
      }),
      contentType: 'application/json',
    }
  }

  private async health(parameters: URLSearchParams): Promise<Answer> {
    const isSerializable = parameters.get('serializable') === 'true'
    const excluded = parameters.getAll('exclude')
    const alarm = this.node.status().alarms.find((each) => !excluded.includes(nameOf(each)))
    if (alarm !== undefined) return unhealthy(`ALARM ${nameOf(alarm)}`)
    if (!isSerializable && this.node.leaderId === noNode) return unhealthy('RAFT NO LEADER')
    try {
      await (isSerializable ? this.readLocally() : this.node.confirmReads())
    } catch (error) {
      if (isFatal(error)) throw error
      return unhealthy(`RANGE ERROR:${reasonOf(error)}`)
    }
    return { status: 200, body: '{"health":"true","reason":""}' }
  }

  private liveChecks(): ReadonlyMap<string, Check> {
    return new Map<string, Check>([['serializable_read', () => this.readLocally()]])
  }

  private readyChecks(): ReadonlyMap<string, Check> {
    return new Map<string, Check>([
      ['data_corruption', () => this.refuseCorruption()],
      ['serializable_read', () => this.readLocally()],
      ['linearizable_read', () => this.node.confirmReads()],
      ['non_learner', () => this.refuseLearner()],
    ])
  }

  /** Runs one check or all of them, and lists what came of each. */
  private async probe(
    checks: ReadonlyMap<string, Check>,
    only: string | undefined,
    parameters: URLSearchParams,
  ): Promise<Answer> {
    const excluded = parameters.getAll('exclude')
    const names =
      only === undefined ? [...checks.keys()].filter((name) => !excluded.includes(name)) : [only]
    const lines: string[] = []
    let hasFailed = false
    for (const name of names) {
      const check = checks.get(name)
      if (check === undefined) return notFound
      try {
        await check()
        lines.push(`[+]${name} ok\n`)
      } catch (error) {
        if (isFatal(error)) throw error
        hasFailed = true
        lines.push(`[-]${name} failed: ${reasonOf(error)}\n`)
      }
    }
    if (hasFailed) return { status: 503, body: `${lines.join('')}\n`, contentType: plainText }
    const details = parameters.has('verbose') ? lines.join('') : ''
    return { status: 200, body: `${details}ok\n`, contentType: plainText }
  }

  /** A read of this member's own state. */
  private async readLocally(): Promise<void> {
    await this.node.range(
      RangeRequest.create({ key: Buffer.from('health'), serializable: true, countOnly: true }),
    )
  }

  private refuseCorruption(): Promise<void> {
    const isCorrupt = this.node.status().alarms.some(({ alarm }) => alarm === 'corrupt')
    return isCorrupt ? Promise.reject(new Error('alarm activated: CORRUPT')) : Promise.resolve()
  }

  private refuseLearner(): Promise<void> {
    return this.node.isLearner
      ? Promise.reject(new Error('not supported for learner'))
      : Promise.resolve()
  }
}

function unhealthy(reason: string): Answer {
  return {
    status: 503,
    body: `${JSON.stringify({ health: 'false', reason })}\n`,
    contentType: plainText,
  }
}

function nameOf({ alarm }: Alarm): string {
  return alarmNames[alarm]
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
