/**
 * `npm run bench -- profile put|get|get-serializable|range [in flight]`: where our node's main thread spends its time under a load,
 * by folder of the source.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { SourceMap } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { h2load } from './h2load.mjs'
import { quorated, startServer } from './servers.mjs'
import { fill, profiledLoads, shapes } from './unary.mjs'

const seconds = 5
const topFunctionCount = 20
const bundle = join(dirname(quorated), '..', 'dist', 'quorated.mjs')
const program = join(dirname(bundle), 'quorated-program.cjs')
const resultsFolder = fileURLToPath(new URL('./results/', import.meta.url))

const underProfiler = (folder) => (command) => [
  process.execPath,
  '--no-warnings',
  '--cpu-prof',
  `--cpu-prof-dir=${folder}`,
  bundle,
  ...command.slice(1),
]

const special = {
  '(garbage collector)': 'garbage collection',
  '(idle)': 'idle',
  '(program)': 'native code and system calls',
}

/** Names the part of the program that a function belongs to. */
function partOf({ functionName, url, lineNumber, columnNumber }, map) {
  if (functionName in special) return special[functionName]
  if (url.startsWith('node:')) return 'the runtime (streams, sockets, timers)'
  const source = url.endsWith('quorated-program.cjs')
    ? (map.findEntry(lineNumber, columnNumber).originalSource ?? 'src/core/?')
    : url
  const dependency = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(source)
  if (dependency) return dependency[1]
  const folder = /src\/core\/(.*)\/[^/]+$/.exec(source)
  return folder ? folder[1] : 'native functions called by the rest'
}

function summarize(file, { fromUs, untilUs }) {
  const profile = JSON.parse(readFileSync(file, 'utf8'))
  const map = new SourceMap(JSON.parse(readFileSync(`${program}.map`, 'utf8')))
  const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]))
  const parts = new Map()
  const functions = new Map()
  let nowUs = 0
  let totalUs = 0
  const add = (target, key, us) => target.set(key, (target.get(key) ?? 0) + us)
  profile.samples.forEach((id, index) => {
    const us = profile.timeDeltas[index]
    nowUs += us
    if (nowUs < fromUs || nowUs > untilUs) return
    const frame = frames.get(id)
    const part = partOf(frame, map)
    totalUs += us
    add(parts, part, us)
    add(functions, `${frame.functionName || '(anonymous)'} (${part})`, us)
  })
  const shares = (target) =>
    [...target]
      .map(([name, us]) => ({ name, share: us / totalUs }))
      .sort((left, right) => right.share - left.share)
  return { parts: shares(parts), functions: shares(functions).slice(0, topFunctionCount) }
}

const percent = (share) => `${(share * 100).toFixed(1).padStart(5)} %`

/** Profiles one load, prints the shares and keeps them in bench/results for the report. */
export async function profile([name = 'put', inFlightText = '1000']) {
  const load = profiledLoads.find((each) => each.name === name)
  const shape = shapes.find(({ inFlight }) => inFlight === Number(inFlightText))
  if (!load || !shape) throw new Error(`known loads: ${profiledLoads.map((each) => each.name)}`)
  const folder = mkdtempSync(join(tmpdir(), 'bench-profile-'))
  const env = { UV_THREADPOOL_SIZE: process.env.UV_THREADPOOL_SIZE ?? '8' }
  try {
    const spawnedMs = performance.now()
    const server = await startServer('quorate', { wrap: underProfiler(folder), env })
    let result
    let window
    try {
      await fill(server.port)
      const fromUs = (performance.now() - spawnedMs) * 1000
      result = await h2load({ ...load, ...shape, port: server.port, seconds })
      window = { fromUs, untilUs: (performance.now() - spawnedMs) * 1000 }
      await server.stop()
    } finally {
      await server.stop()
    }
    const file = readdirSync(folder).find((each) => each.endsWith('.cpuprofile'))
    const { parts, functions } = summarize(join(folder, file), window)
    await server.dispose()
    const summary = { name, label: load.label, ...shape, perSecond: result.perSecond, parts }
    mkdirSync(resultsFolder, { recursive: true })
    writeFileSync(
      join(resultsFolder, `profile-${name}.json`),
      `${JSON.stringify(summary, null, 2)}\n`,
    )
    process.stdout.write(`${load.label}, ${Math.round(result.perSecond)} a second\n`)
    for (const each of parts) process.stdout.write(`${percent(each.share)}  ${each.name}\n`)
    process.stdout.write('most expensive functions, without what they call\n')
    for (const each of functions) process.stdout.write(`${percent(each.share)}  ${each.name}\n`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
