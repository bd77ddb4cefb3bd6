/**
 * `npm run bench [-- name...]`: our store node beside a real etcd, on one machine in one run, as ratios. docs/performance.md tells
 * how to read it.
 *
 * `BENCH_ROUNDS` (2) and `BENCH_SECONDS` (2) make a run longer and steadier; `BENCH_JSON` names the file for the results;
 * `BENCH_DIR` the disk that both servers write to.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { profile } from './profile.mjs'
import { durationSeconds, roundCount } from './rounds.mjs'
import { opponent } from './servers.mjs'
import { smoke } from './smoke.mjs'
import { headLine, rowLine } from './table.mjs'
import * as cluster from './cluster.mjs'
import { proveDurability } from './durability.mjs'
import * as history from './history.mjs'
import * as maintenance from './maintenance.mjs'
import * as million from './million.mjs'
import { ui } from './ui.mjs'
import { uiFlows } from './ui-flows.mjs'
import { uiHistory } from './ui-history.mjs'
import { uiWatch } from './ui-watch.mjs'
import * as unary from './unary.mjs'
import * as watch from './watch.mjs'

/** Everything about the window, or with words what `ui` makes of them. */
async function window(words) {
  await ui(words)
  if (words.length > 0) return
  await uiFlows()
  await uiHistory()
  await uiWatch()
}

const families = { unary, million, watch, cluster, history, maintenance }
/** Not a comparison in the table: they run only when they are named. */
const tools = {
  durability: proveDurability,
  profile,
  smoke,
  ui: window,
  'ui-flows': uiFlows,
  'ui-history': uiHistory,
  'ui-watch': uiWatch,
}
const defaultJson = fileURLToPath(new URL('./results/latest.json', import.meta.url))

const say = (line) => process.stdout.write(`${line}\n`)

function writeJson(rows) {
  const file = process.env.BENCH_JSON ?? defaultJson
  mkdirSync(dirname(file), { recursive: true })
  const result = {
    at: new Date().toISOString(),
    machine: {
      cpus: cpus().length,
      model: cpus()[0]?.model,
      memoryGb: Math.round(totalmem() / 1e9),
      node: process.version,
    },
    opponent: opponent().version,
    rounds: roundCount,
    seconds: durationSeconds,
    rows,
  }
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`)
}

function known() {
  const lines = Object.entries(families).map(
    ([family, { names }]) => `  ${family}: ${names.join(', ')}`,
  )
  return `${lines.join('\n')}\n  on their own: ${Object.keys(tools).join(', ')}`
}

async function compare(chosen) {
  const { version, isExpected } = opponent()
  if (!isExpected) {
    say(`ATTENTION: the opponent is etcd ${version}, not 3.5. Reads of 3.4 are ten times slower`)
    say('after writes until it is restarted; these ratios prove nothing about 3.5.')
  }
  say(`etcd ${version}; ${roundCount} rounds of ${durationSeconds} s; pairs are ours / etcd`)
  say(headLine())
  const rows = []
  const report = (row) => {
    rows.push(row)
    say(rowLine(row))
    writeJson(rows)
  }
  for (const [family, { names, run }] of Object.entries(families)) {
    const wants = (name) => chosen.length === 0 || chosen.includes(name) || chosen.includes(family)
    if (names.some(wants)) await run({ wants, report, say })
  }
  const metCount = rows.filter(({ isMet }) => isMet).length
  say(`${metCount} of ${rows.length} targets met`)
}

const chosen = process.argv.slice(2)
const [first = '', ...rest] = chosen
const isKnown = (name) =>
  name in families || Object.values(families).some(({ names }) => names.includes(name))
if (first in tools) await tools[first](rest)
else if (chosen.every(isKnown)) await compare(chosen)
else {
  process.stderr.write(`no such benchmark; known are:\n${known()}\n`)
  process.exit(2)
}
