/** `/metrics` and `/debug/vars`. */
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { readBody, sendAnswer, type HttpExchange } from '../http-exchange.ts'
import type { HttpRoute } from '../http-router.ts'
import { jsonContentType } from '../gateway/gateway-errors.ts'
import { metricFamilies } from './families.ts'
import { formatFamilies } from './metric-family.ts'
import type { MetricSource } from './metric-source.ts'

/** Content of a request that has a reason to have none. */
const ignoredBodyBytesMax = 65_536
const compress = promisify(gzip)

/** @param read  looks at everything once */
export function metricsRoutes(read: () => Promise<MetricSource>): readonly HttpRoute[] {
  return [
    {
      path: '/metrics',
      handle: async (exchange) => {
        await readBody(exchange, ignoredBodyBytesMax)
        await sendMetrics(exchange, await read())
      },
    },
    {
      path: '/debug/vars',
      methods: ['GET'],
      handle: async (exchange) => {
        await readBody(exchange, ignoredBodyBytesMax)
        const body = `${JSON.stringify(variablesOf(await read()), undefined, 1)}\n`
        sendAnswer(exchange, {
          status: 200,
          body,
          contentType: `${jsonContentType}; charset=utf-8`,
        })
      },
    },
  ]
}

async function sendMetrics(exchange: HttpExchange, source: MetricSource): Promise<void> {
  const { text, contentType } = await formatFamilies(metricFamilies, source)
  const takesGzip = /\bgzip\b/.test(exchange.findHeader('accept-encoding') ?? '')
  sendAnswer(exchange, {
    status: 200,
    body: takesGzip ? await compress(text) : text,
    contentType,
    ...(takesGzip ? { headers: { 'content-encoding': 'gzip' } } : {}),
  })
}

/** With etcd's names. */
function variablesOf({ node, memberId, process: { openFileCountMax } }: MetricSource): object {
  const { leader, role, raftTerm, raftIndex, raftAppliedIndex } = node.status
  return {
    cmdline: process.argv,
    memstats: process.memoryUsage(),
    file_descriptor_limit: openFileCountMax ?? 0,
    'raft.status': {
      id: memberId.toString(16),
      term: raftTerm,
      commit: raftIndex,
      lead: leader.toString(16),
      raftState: `State${role.charAt(0).toUpperCase()}${role.slice(1)}`,
      applied: raftAppliedIndex,
    },
  }
}
