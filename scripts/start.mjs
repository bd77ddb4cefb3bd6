/**
 * `npm start`: from a fresh checkout to a running app. Installs what is missing, builds what is out of date, finds an
 * Electron, checks libraries and display, and launches. Arguments behind `--` go to the app:
 * `npm start -- --connect=http://host:2379`.
 *
 * Plain Node, no dependencies: this runs before anything is installed.
 */

import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { DependenciesMissing, ensureDependencies } from './dependencies.mjs'
import { findElectronRuntime, rootDirectory, RuntimeNotFound } from './electron-runtime.mjs'
import { ensureSystemLibraries, hasDisplay, isRoot, LibrariesMissing } from './system-libraries.mjs'

const nodeVersionMin = [20, 19, 0]

/** Ends the start with a sentence for the user. */
class CannotStart extends Error {
  name = 'CannotStart'
}

const say = (line) => process.stderr.write(`${line}\n`)

function checkNodeVersion() {
  const version = process.versions.node.split('.').map(Number)
  for (const [position, least] of nodeVersionMin.entries()) {
    if (version[position] > least) return
    if (version[position] < least) {
      throw new CannotStart(
        `Quorate needs Node ${nodeVersionMin.join('.')} or newer to build; this is ${process.versions.node}.`,
      )
    }
  }
}

function newestChangeMs(path) {
  if (!existsSync(path)) return 0
  const status = statSync(path)
  if (!status.isDirectory()) return status.mtimeMs
  let newestMs = 0
  for (const name of readdirSync(path))
    newestMs = Math.max(newestMs, newestChangeMs(join(path, name)))
  return newestMs
}

function buildApp() {
  const builtPath = join(rootDirectory, 'out', 'renderer', 'index.html')
  const sources = ['src', 'electron.vite.config.ts', 'package.json', 'package-lock.json']
  const changedMs = Math.max(...sources.map((name) => newestChangeMs(join(rootDirectory, name))))
  if (existsSync(builtPath) && statSync(builtPath).mtimeMs > changedMs) return
  say('Building the app…')
  const builderPath = join(
    rootDirectory,
    'node_modules',
    'electron-vite',
    'bin',
    'electron-vite.js',
  )
  runOrStop(process.execPath, [builderPath, 'build', '--logLevel', 'warn'], {
    failure: 'The app could not be built; the lines above say why.',
  })
}

function runOrStop(command, commandArguments, { failure }) {
  const result = spawnSync(command, commandArguments, {
    cwd: rootDirectory,
    stdio: ['ignore', 'ignore', 'inherit'],
    // npm is a batch file on Windows, which only a shell runs.
    shell: process.platform === 'win32' && command === 'npm',
  })
  if (result.status !== 0) throw new CannotStart(failure)
}

function checkDisplay() {
  if (hasDisplay()) return
  throw new CannotStart(
    'There is no display to open a window on: use "xvfb-run -a npm start" for a virtual one, or ' +
      '"bin/quorated" to run a store node alone.',
  )
}

function launch(runtime) {
  // Chromium's sandbox cannot be set up by root; everywhere else the app runs sandboxed.
  const sandboxFlags = isRoot() || process.env.CI === 'true' ? ['--no-sandbox'] : []
  const app = spawn(
    runtime.executablePath,
    [...sandboxFlags, rootDirectory, ...process.argv.slice(2)],
    { stdio: 'inherit' },
  )
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => app.kill(signal))
  }
  app.once('error', (error) => {
    say(`Electron could not be started: ${error.message}`)
    process.exitCode = 1
  })
  app.once('exit', (code, signal) => {
    process.exitCode = code ?? 128 + (constants.signals[signal] ?? 0)
  })
}

try {
  checkNodeVersion()
  // Before the long steps, so that nobody waits for a build to learn that there is no display.
  checkDisplay()
  ensureSystemLibraries({ say })
  ensureDependencies({ say })
  buildApp()
  const runtime = await findElectronRuntime({ say })
  if (runtime.source !== 'installed') say(`Using ${runtime.description}.`)
  launch(runtime)
} catch (error) {
  const isExpected =
    error instanceof CannotStart ||
    error instanceof DependenciesMissing ||
    error instanceof LibrariesMissing ||
    error instanceof RuntimeNotFound
  if (!isExpected) throw error
  say(error.message)
  process.exitCode = 1
}
