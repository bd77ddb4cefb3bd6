/**
 * Health, readiness and version over HTTP, as probes and load balancers ask for them.
 *
 * @see etcd v3 API, "Health, version, vars"
 */
import { noNode } from '../base/ids.ts'
import type { Alarm } from '../node/node-surface.ts'
import type { StoreNode } from '../node/store-node.ts'
import { RangeRequest } from '../proto/gen/rpc.ts'
import {
  errorAnswer,
  notFoundAnswer,
  readBody,
  sendAnswer,
  type HttpAnswer,
} from './http-exchange.ts'
import type { HttpRoute } from './http-router.ts'
import type { CheckCounts, HealthCounts } from './metrics/metric-source.ts'
import { isFatal } from './status-mapping.ts'

/** A check of `/livez` or `/readyz`; rejects with the reason when it fails. */
type Check = () => Promise<void>

/** Content of a request that has a reason to have none. */
const ignoredBodyBytesMax = 65_536
const alarmNames = { noSpace: 'NOSPACE', corrupt: 'CORRUPT' } as const

/** The routes of one node. */
export function probeRoutes(node: StoreNode, counts: HealthCounts): readonly HttpRoute[] {
  const probes = new Probes(node, counts)
  const get = (
    path: string,
    answer: (path: string, query: URLSearchParams) => HttpAnswer | Promise<HttpAnswer>,
  ): HttpRoute => ({
    path,
    methods: ['GET'],
    handle: async (exchange) => {
      // Nothing is to come; an answer before the end of the request would have to break it off.
      await readBody(exchange, ignoredBodyBytesMax)
      sendAnswer(exchange, await answer(exchange.path, exchange.query))
    },
  })
  const live = (path: string, query: URLSearchParams): Promise<HttpAnswer> =>
    probes.probe('livez', path, query)
  const ready = (path: string, query: URLSearchParams): Promise<HttpAnswer> =>
    probes.probe('readyz', path, query)
  return [
    get('/health', async (_path, query) => {
      const answer = await probes.health(query)
      if (answer.status === 200) counts.successCount++
      else counts.failureCount++
      return answer
    }),
    get('/version', () => probes.version()),
    get('/livez', live),
    get('/livez/', live),
    get('/readyz', ready),
    get('/readyz/', ready),
  ]
}

class Probes {
  private readonly node: StoreNode
  private readonly counts: HealthCounts

  constructor(node: StoreNode, counts: HealthCounts) {
    this.node = node
    this.counts = counts
    for (const type of ['livez', 'readyz'] as const) {
      for (const name of this.checksOf(type).keys()) {
        counts.checks.push({
          type,
          name,
          successCount: 0,
          failureCount: 0,
          hasSucceededLast: false,
        })
      }
    }
  }

  version(): HttpAnswer {
    return {
      status: 200,
      body: JSON.stringify(this.node.describeVersions()),
      contentType: 'application/json',
    }
  }

  async health(query: URLSearchParams): Promise<HttpAnswer> {
    const isSerializable = query.get('serializable') === 'true'
    const excluded = query.getAll('exclude')
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

  private checksOf(type: CheckCounts['type']): ReadonlyMap<string, Check> {
    const readsLocally: readonly [string, Check] = ['serializable_read', () => this.readLocally()]
    if (type === 'livez') return new Map([readsLocally])
    return new Map<string, Check>([
      ['data_corruption', () => this.refuseCorruption()],
      readsLocally,
      ['linearizable_read', () => this.node.confirmReads()],
      ['non_learner', () => this.refuseLearner()],
    ])
  }

  /** Runs the check that the path names, or all of them, and lists what came of each. */
  async probe(
    type: CheckCounts['type'],
    path: string,
    query: URLSearchParams,
  ): Promise<HttpAnswer> {
    const checks = this.checksOf(type)
    const only = /^\/[^/]*\/(.*)$/.exec(path)?.[1]
    const excluded = query.getAll('exclude')
    const names =
      only === undefined ? [...checks.keys()].filter((name) => !excluded.includes(name)) : [only]
    const lines: string[] = []
    let hasFailed = false
    for (const name of names) {
      const check = checks.get(name)
      if (check === undefined) return notFoundAnswer
      try {
        await check()
        this.count(type, name, true)
        lines.push(`[+]${name} ok\n`)
      } catch (error) {
        if (isFatal(error)) throw error
        hasFailed = true
        this.count(type, name, false)
        lines.push(`[-]${name} failed: ${reasonOf(error)}\n`)
      }
    }
    if (hasFailed) return errorAnswer(503, `${lines.join('')}\n`)
    const details = query.has('verbose') ? lines.join('') : ''
    return errorAnswer(200, `${details}ok\n`)
  }

  private count(type: CheckCounts['type'], name: string, hasSucceeded: boolean): void {
    const counts = this.counts.checks.find((each) => each.type === type && each.name === name)
    if (counts === undefined) return
    if (hasSucceeded) counts.successCount++
    else counts.failureCount++
    counts.hasSucceededLast = hasSucceeded
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

function unhealthy(reason: string): HttpAnswer {
  return { status: 503, body: `${JSON.stringify({ health: 'false', reason })}\n` }
}

function nameOf({ alarm }: Alarm): string {
  return alarmNames[alarm]
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
