/**
 * `npm test [-- layer...]`: installs what is missing, builds, and runs everything a contributor must pass.
 *
 * Layers: check, unit, simulation, integration, compat, e2e; all of them when none is named. Each runs by itself, one after
 * the other, because several start servers and windows. The last line counts all tests.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import { ensureDependencies, projectRoot } from './dependencies.mjs'
import { findElectronRuntime } from './electron-runtime.mjs'
import { ensureHttpClients } from './http-clients.mjs'
import { ensureRealEtcd } from './real-etcd.mjs'
import { ensureSystemLibraries, hasDisplay } from './system-libraries.mjs'

const layers = ['check', 'unit', 'simulation', 'integration', 'compat', 'e2e']
const wanted = process.argv.slice(2)
for (const name of wanted) {
  if (layers.includes(name)) continue
  process.stderr.write(`unknown layer "${name}"; known are: ${layers.join(', ')}\n`)
  process.exit(2)
}
const chosen = layers.filter((name) => wanted.length === 0 || wanted.includes(name))

const say = (line) => process.stdout.write(`${line}\n`)
try {
  ensureDependencies({ say })
  if (chosen.some((name) => name === 'integration' || name === 'compat' || name === 'e2e')) {
    ensureRealEtcd({ say })
    ensureHttpClients({ say })
  }
  if (chosen.includes('e2e')) {
    ensureSystemLibraries({ say, needsVirtualDisplay: !hasDisplay() })
    const runtime = await findElectronRuntime({ say })
    say(`Electron for the tests: ${runtime.description}`)
  }
} catch (error) {
  if (!(error instanceof Error)) throw error
  say(error.message)
  process.exit(1)
}

const npx = process.platform === 'win32' ? 'npx.cmd' : 'npx'
const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
const totals = { passed: 0, failed: 0, skipped: 0 }
const failedLayers = []
const failedTests = []
const longestReasonLength = 2_000
const resultFolder = join(projectRoot, 'node_modules/.cache/test-results')
rmSync(resultFolder, { recursive: true, force: true })
mkdirSync(resultFolder, { recursive: true })

if (chosen.some((name) => ['integration', 'compat', 'e2e'].includes(name))) build()

function build() {
  const { status } = spawnSync(npm, ['run', 'build'], { cwd: projectRoot, stdio: 'inherit' })
  if (status !== 0) {
    say('The build failed; the lines above say why.')
    process.exit(1)
  }
}

/** Electron needs a display; a virtual one serves where there is none. */
function withDisplay(command, args) {
  const needsVirtual =
    process.platform === 'linux' && !process.env.DISPLAY && !process.env.WAYLAND_DISPLAY
  if (!needsVirtual) return [command, args]
  return ['xvfb-run', ['-a', '-s', '-screen 0 1920x1080x24', command, ...args]]
}

function runLayer(name) {
  const startMs = Date.now()
  process.stdout.write(`\n=== ${name}\n`)
  let isPassed
  if (name === 'check') {
    isPassed = spawnSync(npm, ['run', 'check'], { cwd: projectRoot, stdio: 'inherit' }).status === 0
  } else {
    const resultFile = join(resultFolder, `${name}.json`)
    const vitest = [
      'vitest',
      'run',
      '--project',
      name,
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${resultFile}`,
    ]
    const [command, args] = name === 'e2e' ? withDisplay(npx, vitest) : [npx, vitest]
    isPassed = spawnSync(command, args, { cwd: projectRoot, stdio: 'inherit' }).status === 0
    addCounts(name, resultFile)
  }
  if (!isPassed) failedLayers.push(name)
  process.stdout.write(
    `=== ${name}: ${isPassed ? 'passed' : 'FAILED'} in ${Math.round((Date.now() - startMs) / 1000)} s\n`,
  )
}

function addCounts(layer, resultFile) {
  let result
  try {
    result = JSON.parse(readFileSync(resultFile, 'utf8'))
  } catch (error) {
    process.stderr.write(`no test results in ${resultFile}: ${error.message}\n`)
    return
  }
  totals.passed += result.numPassedTests
  totals.failed += result.numFailedTests
  totals.skipped += result.numPendingTests + result.numTodoTests
  for (const file of result.testResults) {
    const path = relative(projectRoot, file.name)
    const failed = file.assertionResults.filter(({ status }) => status === 'failed')
    if (file.status === 'failed' && failed.length === 0) {
      failedTests.push({ layer, title: path, reason: file.message })
    }
    for (const { fullName, failureMessages } of failed) {
      failedTests.push({ layer, title: `${path}: ${fullName}`, reason: failureMessages.join('\n') })
    }
  }
}

/** Said again at the very end, because the layers in between print thousands of lines. */
function sayFailures() {
  if (failedLayers.length === 0) return
  say(`\nfailed: ${failedLayers.join(', ')}`)
  for (const { layer, title, reason } of failedTests) {
    say(`\nFAILED in ${layer}: ${title}\n${reason.slice(0, longestReasonLength)}`)
  }
}

for (const name of chosen) runLayer(name)
sayFailures()
say(`\n${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`)
process.exit(failedLayers.length > 0 ? 1 : 0)
