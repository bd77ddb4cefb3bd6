/** One key with 100,000 revisions: does its length slow it down, and what does an old revision cost? */
import { closedLoop, fixed, putRepeatedly, value } from './loads.mjs'
import { paths, putBody, rangeBody, wideVarint } from './messages.mjs'
import { alternate, makeRow, rateSample } from './rounds.mjs'
import { statusOf, withBoth } from './servers.mjs'

export const names = ['history']
const key = 'long/life'
const revisionCount = Number(process.env.BENCH_REVISIONS ?? 100_000)
const shape = { connections: 10, streams: 10 }

function oldRevisions(lastRevision) {
  const template = rangeBody(key, { revision: 1 })
  const revisionAt = template.indexOf(wideVarint(1))
  const from = Math.max(2, lastRevision - revisionCount)
  return { kind: 'revision', path: paths.range, template, revisionAt, from, to: lastRevision }
}

export async function run({ report }) {
  await withBoth(async (servers) => {
    const lastRevisions = {}
    for (const [kind, { port }] of Object.entries(servers)) {
      await putRepeatedly({ port, key, times: revisionCount })
      lastRevisions[kind] = (await statusOf(port)).revision
    }
    const works = [
      { what: 'get', source: () => fixed(paths.range, rangeBody(key)) },
      { what: 'get at an old revision', source: (kind) => oldRevisions(lastRevisions[kind]) },
      { what: 'put', source: () => fixed(paths.put, putBody(key, value)) },
    ]
    for (const { what, source } of works) {
      const samples = await alternate(async (kind) => {
        const server = servers[kind]
        const load = { port: server.port, source: source(kind), ...shape }
        return rateSample(await closedLoop(load), server)
      })
      const label = `key of ${revisionCount.toLocaleString('en')} revisions: ${what}, 100 in flight`
      report(makeRow({ name: 'history', label, unit: '1/s', target: 1 }, samples))
    }
  })
}
