/**
 * The npm packages of this project: are they installed, and are they the ones that the lock file names? Plain Node: it
 * runs before anything is installed.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Folder that holds package.json. */
export const projectRoot = fileURLToPath(new URL('..', import.meta.url))

/** The packages could not be installed; the message is the sentence for the user. */
export class DependenciesMissing extends Error {
  name = 'DependenciesMissing'
}

/** Compares what is installed with the lock file, package by package: dates lie after a checkout. */
function isInstallationCurrent() {
  const installedPath = join(projectRoot, 'node_modules', '.package-lock.json')
  if (!existsSync(installedPath)) return false
  const wanted = JSON.parse(readFileSync(join(projectRoot, 'package-lock.json'), 'utf8')).packages
  const installed = JSON.parse(readFileSync(installedPath, 'utf8')).packages
  return Object.entries(wanted).every(
    ([path, entry]) =>
      path === '' ||
      entry.optional === true ||
      entry.devOptional === true ||
      entry.peer === true ||
      installed[path]?.version === entry.version,
  )
}

/**
 * Installs the packages unless that has been done.
 *
 * @param {{ say?: (line: string) => void }} [options]
 * @throws {DependenciesMissing}
 */
export function ensureDependencies(options = {}) {
  if (isInstallationCurrent()) return
  options.say?.('Installing dependencies…')
  const result = spawnSync(
    'npm',
    ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'],
    {
      cwd: projectRoot,
      stdio: ['ignore', 'ignore', 'inherit'],
      // npm is a batch file on Windows, which only a shell runs.
      shell: process.platform === 'win32',
    },
  )
  if (result.status !== 0) {
    throw new DependenciesMissing(
      'The dependencies could not be installed; the lines above say why.',
    )
  }
}
