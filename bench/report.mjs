/**
 * `node bench/report.mjs [results.json]` writes the results of the last run, and the profiles made since, into docs/performance.md
 * between its markers. With several files the rows of later ones take the place of earlier rows of the same work, so that a part of
 * the suite can be run again.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { markdownTable } from './table.mjs'

const resultsFolder = fileURLToPath(new URL('./results/', import.meta.url))
const page = fileURLToPath(new URL('../docs/performance.md', import.meta.url))
const smallestShare = 0.01

const readJson = (file) => JSON.parse(readFileSync(file, 'utf8'))

function between(text, name, lines) {
  const [begin, end] = [`<!-- ${name}: begin -->`, `<!-- ${name}: end -->`]
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`${page} has no markers for ${name}`)
  return [text.slice(0, from + begin.length), '', '', ...lines, '', text.slice(to)].join('\n')
}

function resultLines(runs) {
  const rows = new Map(runs.flatMap((run) => run.rows).map((row) => [row.label, row]))
  const { at, machine, opponent, rounds, seconds } = runs.at(-1)
  const metCount = [...rows.values()].filter(({ isMet }) => isMet).length
  return [
    `Measured on ${at.slice(0, 10)}: ${machine.cpus} cores (${machine.model}), ${machine.memoryGb} GB, Node ${machine.node.slice(1)}, etcd ${opponent}; medians of ${rounds} rounds of ${seconds} s. ${metCount} of ${rows.size} targets are met.`,
    '',
    ...markdownTable([...rows.values()]),
  ]
}

function profileLines(profiles) {
  const names = [...new Set(profiles.flatMap(({ parts }) => parts.map(({ name }) => name)))]
  const shareOf = ({ parts }, name) => parts.find((part) => part.name === name)?.share ?? 0
  const kept = names.filter((name) => profiles.some((each) => shareOf(each, name) >= smallestShare))
  kept.sort((left, right) => shareOf(profiles[0], right) - shareOf(profiles[0], left))
  const cells = (name) => profiles.map((each) => `${(shareOf(each, name) * 100).toFixed(1)} %`)
  return [
    `| part of the main thread's time | ${profiles.map(({ label, inFlight }) => `${label}, ${inFlight.toLocaleString('en')} in flight`).join(' | ')} |`,
    `| --- | ${profiles.map(() => '---:').join(' | ')} |`,
    ...kept.map((name) => `| ${name} | ${cells(name).join(' | ')} |`),
    `| requests a second under the profiler | ${profiles.map(({ perSecond }) => Math.round(perSecond).toLocaleString('en')).join(' | ')} |`,
  ]
}

const files = process.argv.length > 2 ? process.argv.slice(2) : [join(resultsFolder, 'latest.json')]
let text = between(readFileSync(page, 'utf8'), 'results', resultLines(files.map(readJson)))
const profiles = existsSync(resultsFolder)
  ? readdirSync(resultsFolder)
      .filter((name) => name.startsWith('profile-'))
      .map((name) => readJson(join(resultsFolder, name)))
  : []
if (profiles.length > 0) text = between(text, 'profiles', profileLines(profiles))
writeFileSync(page, text)
