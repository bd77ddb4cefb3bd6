/** Starts the built app in a real Electron, with state of its own, for one test. */

import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { _electron, type ElectronApplication, type Page } from 'playwright-core'
import { findElectronRuntime, rootDirectory } from '../../../scripts/electron-runtime.mjs'
import { hasDisplay, isRoot } from '../../../scripts/system-libraries.mjs'
import type { Bridge } from '../../../src/preload/contract/bridge.ts'

/** What a function that runs in the page sees of its window; such a file declares `window` as this. */
export interface PageWindow {
  readonly bridge: Bridge
}

export interface LaunchedApp {
  readonly app: ElectronApplication
  readonly page: Page
  readonly userDataDirectory: string
  /** Lines that the page wrote to its console as errors, and what it threw. */
  readonly pageErrors: readonly string[]
  /** Quits in order and removes the app's files, unless they are to be kept for another start. */
  close(options?: { readonly keepsFiles?: boolean }): Promise<void>
}

export interface LaunchOptions {
  /** The app's own flags. */
  readonly flags?: readonly string[]
  /** Files of an earlier start. */
  readonly userDataDirectory?: string
}

let display: { readonly process: ChildProcess; readonly name: string } | undefined

/** Builds are made by `npm test`; a test run by hand needs one too. */
function requireBuild(): void {
  if (existsSync(join(rootDirectory, 'out', 'main', 'index.cjs'))) return
  throw new Error('The app is not built; run: npm run build')
}

export async function launchApp(options: LaunchOptions = {}): Promise<LaunchedApp> {
  requireBuild()
  const runtime = await findElectronRuntime()
  const userDataDirectory = options.userDataDirectory ?? mkdtempSync(join(tmpdir(), 'quorate-e2e-'))
  const app = await _electron.launch({
    executablePath: runtime.executablePath,
    args: [
      ...(isRoot() ? ['--no-sandbox'] : []),
      rootDirectory,
      `--user-data-dir=${userDataDirectory}`,
      ...(options.flags ?? []),
    ],
    env: { ...environment(), DISPLAY: await displayName() },
  })
  const page = await app.firstWindow()
  const pageErrors: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error') pageErrors.push(message.text())
  })
  page.on('pageerror', (error) => {
    pageErrors.push(error.stack ?? error.message)
  })
  return {
    app,
    page,
    userDataDirectory,
    pageErrors,
    close: async ({ keepsFiles = false } = {}) => {
      await app.close()
      const errors = errorLines(userDataDirectory)
      if (!keepsFiles) rmSync(userDataDirectory, { recursive: true, force: true })
      if (errors.length > 0) throw new Error(`The app logged errors:\n${errors.join('\n')}`)
    },
  }
}

/** What the app itself called an error; no test passes over one. */
function errorLines(userDataDirectory: string): string[] {
  const path = join(userDataDirectory, 'logs', 'quorate.log')
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line.includes('"level":"error"'))
}

/** Ends the virtual display that this file's tests shared. */
export function closeDisplay(): void {
  display?.process.kill()
  display = undefined
}

function environment(): Record<string, string> {
  const entries = Object.entries(process.env)
  return Object.fromEntries(
    entries.filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
}

/** The display that is there, or a virtual one of this file's own, which has a focus and a clipboard of its own. */
export async function displayName(): Promise<string> {
  if (hasDisplay()) return process.env['DISPLAY'] ?? ''
  if (display !== undefined) return display.name
  // Without this option it begins anew when its last window closes, while the next one is about to ask it for its screen.
  const child = spawn('Xvfb', ['-displayfd', '3', '-noreset', '-screen', '0', '1920x1080x24'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  })
  const output = child.stdio[3]
  if (output === null || output === undefined) throw new Error('Xvfb has no output')
  const number = await new Promise<string>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => {
      reject(new Error(`Xvfb ended with ${String(code)} before it had a display`))
    })
    output.once('data', (chunk: Buffer) => {
      resolve(chunk.toString().trim())
    })
  })
  // A test run that is broken off must not leave a display behind.
  process.once('exit', () => {
    child.kill()
  })
  display = { process: child, name: `:${number}` }
  return display.name
}
