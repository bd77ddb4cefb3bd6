/** h2load (Debian: nghttp2-client) as a client for calls with a fixed body: written in C, and independent of anything of ours. */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const warmUpSeconds = 1
let isFound = false

/** Installs it where that needs no password. @throws when there is none, with the sentence for the user */
export function ensureH2load() {
  if (isFound) return
  const isThere = () => spawnSync('h2load', ['--version']).status === 0
  if (!isThere() && process.getuid?.() === 0) {
    const install = () =>
      spawnSync('apt-get', ['install', '-y', 'nghttp2-client'], { stdio: 'ignore' }).status === 0
    if (!install() && spawnSync('apt-get', ['update'], { stdio: 'ignore' }).status === 0) install()
  }
  if (!isThere()) {
    throw new Error('h2load is needed; install with: sudo apt-get install -y nghttp2-client')
  }
  isFound = true
}

function capture(command, commandArguments) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, commandArguments, { stdio: ['ignore', 'pipe', 'pipe'] })
    let text = ''
    child.stdout.on('data', (chunk) => (text += chunk))
    child.stderr.on('data', (chunk) => (text += chunk))
    child.once('error', reject)
    child.once('exit', () => resolve(text))
  })
}

/** p50 and p99 in ms out of h2load's log: start in microseconds, HTTP status, duration in microseconds. */
function quantiles(logFile) {
  const lines = readFileSync(logFile, 'latin1').split('\n')
  const durations = new Float64Array(lines.length)
  let count = 0
  for (const line of lines) {
    if (line === '') continue
    durations[count++] = Number(line.slice(line.lastIndexOf('\t') + 1))
  }
  const sorted = durations.subarray(0, count).sort()
  const at = (fraction) => sorted[Math.min(count - 1, Math.floor(count * fraction))] / 1000
  return { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) }
}

/**
 * @param {{ port: number, path: string, body: Buffer, connections: number, streams: number, seconds: number }} load
 * @returns {Promise<{ perSecond: number, count: number, bytesPerSecond: number, p50Ms: number, p99Ms: number, maxMs: number }>}
 */
export async function h2load({ port, path, body, connections, streams, seconds: wanted }) {
  ensureH2load()
  // It takes whole seconds only.
  const seconds = Math.max(1, Math.round(wanted))
  const folder = mkdtempSync(join(tmpdir(), 'bench-h2load-'))
  const [bodyFile, logFile] = [join(folder, 'body'), join(folder, 'log')]
  writeFileSync(bodyFile, body)
  try {
    const text = await capture('h2load', [
      `--duration=${seconds}`,
      `--warm-up-time=${warmUpSeconds}`,
      `--clients=${connections}`,
      `--max-concurrent-streams=${streams}`,
      `--data=${bodyFile}`,
      `--log-file=${logFile}`,
      '--header=content-type: application/grpc',
      '--header=te: trailers',
      `http://127.0.0.1:${port}${path}`,
    ])
    const rate = /finished in [^,]+, ([\d.]+) req\/s/.exec(text)
    const outcome = /requests: .* (\d+) succeeded, (\d+) failed, (\d+) errored/.exec(text)
    const traffic = /traffic: .*\((\d+)\) data/.exec(text)
    if (!rate || !outcome || !traffic) throw new Error(`h2load printed no result: ${text}`)
    if (Number(outcome[2]) + Number(outcome[3]) > 0) {
      throw new Error(`requests failed: ${outcome[0]}`)
    }
    const count = Number(outcome[1])
    const bytesPerSecond = Number(traffic[1]) / seconds
    return { perSecond: Number(rate[1]), count, bytesPerSecond, ...quantiles(logFile) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
