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
const unsteadyTests = []
const longestReasonLength = 2_000
const layersWithProcesses = ['integration', 'compat', 'e2e']
const unsteadyFilesMax = 2
/** What these find is a lost or a wrong write until somebody has shown that it is not: they get no second run. */
const judgesOfWrites =
  /faults-under-load|leader-kills|rolling-restart|torn-log|crash|-model|kubernetes-patterns/
const resultFolder = join(projectRoot, 'node_modules/.cache/test-results')
rmSync(resultFolder, { recursive: true, force: true })
mkdirSync(resultFolder, { recursive: true })

if (chosen.some((name) => layersWithProcesses.includes(name))) build()

function build() {
  const { status } = spawnSync(npm, ['run', 'build'], { cwd: projectRoot, stdio: 'inherit' })
  if (status !== 0) {
    say('The build failed; the lines above say why.')
    process.exit(1)
  }
}

function runLayer(name) {
  const startMs = Date.now()
  process.stdout.write(`\n=== ${name}\n`)
  const isPassed =
    name === 'check'
      ? spawnSync(npm, ['run', 'check'], { cwd: projectRoot, stdio: 'inherit' }).status === 0
      : runTests(name)
  if (!isPassed) failedLayers.push(name)
  process.stdout.write(
    `=== ${name}: ${isPassed ? 'passed' : 'FAILED'} in ${Math.round((Date.now() - startMs) / 1000)} s\n`,
  )
}

/**
 * Runs the tests of a layer. Where processes and windows take part, a file or two that failed on a busy machine get a second
 * run by themselves; a test that passes only then is named at the end as unsteady, with its first failure. Pure layers get
 * none (their failures come from a seed, and another seed would hide them), nor do the tests that judge what was written.
 */
function runTests(layer) {
  const first = runVitest(layer, [], layer)
  if (first.result === undefined) return false
  const { result } = first
  totals.passed += result.numPassedTests
  totals.skipped += result.numPendingTests + result.numTodoTests
  const failures = failuresOf(layer, result)
  const files = [...new Set(failures.map(({ path }) => path))]
  const isWorthAnother =
    layersWithProcesses.includes(layer) &&
    files.length > 0 &&
    files.length <= unsteadyFilesMax &&
    !files.some((path) => judgesOfWrites.test(path))
  if (isWorthAnother && runAgain(layer, files, failures)) return true
  totals.failed += result.numFailedTests
  failedTests.push(...failures)
  return first.isPassed
}

function runAgain(layer, files, failures) {
  for (const file of files) {
    say(`\n=== ${layer}: ${file} once more, alone`)
    if (!runVitest(layer, [file], `${layer}-again`).isPassed) return false
  }
  totals.passed += failures.length
  unsteadyTests.push(...failures)
  return true
}

function runVitest(layer, files, resultName) {
  const resultFile = join(resultFolder, `${resultName}.json`)
  const vitest = [
    'vitest',
    'run',
    '--project',
    layer,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${resultFile}`,
    ...files,
  ]
  const isPassed = spawnSync(npx, vitest, { cwd: projectRoot, stdio: 'inherit' }).status === 0
  try {
    return { isPassed, result: JSON.parse(readFileSync(resultFile, 'utf8')) }
  } catch (error) {
    process.stderr.write(`no test results in ${resultFile}: ${error.message}\n`)
    return { isPassed: false, result: undefined }
  }
}

function failuresOf(layer, result) {
  return result.testResults.flatMap((file) => {
    const path = relative(projectRoot, file.name)
    const failed = file.assertionResults.filter(({ status }) => status === 'failed')
    if (file.status === 'failed' && failed.length === 0) {
      return [{ layer, path, title: path, reason: file.message }]
    }
    return failed.map(({ fullName, failureMessages }) => ({
      layer,
      path,
      title: `${path}: ${fullName}`,
      reason: failureMessages.join('\n'),
    }))
  })
}

/** Said again at the very end, because the layers in between print thousands of lines. */
function sayFailures() {
  const sayAll = (what, tests) => {
    for (const { layer, title, reason } of tests) {
      say(`\n${what} in ${layer}: ${title}\n${reason.slice(0, longestReasonLength)}`)
    }
  }
  sayAll('UNSTEADY (passed on its second run)', unsteadyTests)
  if (failedLayers.length === 0) return
  say(`\nfailed: ${failedLayers.join(', ')}`)
  sayAll('FAILED', failedTests)
}

for (const name of chosen) runLayer(name)
sayFailures()
const unsteady = unsteadyTests.length > 0 ? `, ${unsteadyTests.length} only on a second run` : ''
say(`\n${totals.passed} passed${unsteady}, ${totals.failed} failed, ${totals.skipped} skipped`)
process.exit(failedLayers.length > 0 ? 1 : 0)
