/**
 * Installs the npm packages when they are missing or older than the lock file, so that `npm start` and `npm test` work in
 * a fresh clone. Plain Node: it runs before anything is installed.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Folder that holds package.json. */
export const projectRoot = fileURLToPath(new URL('..', import.meta.url))

/** Runs a command with its output passed through; ends this process with its exit code when it fails. */
export function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: projectRoot, stdio: 'inherit', ...options })
  if (result.error) {
    process.stderr.write(`${command} could not be started: ${result.error.message}\n`)
    process.exit(1)
  }
  if (result.status !== 0) process.exit(result.status ?? 1)
}

/** Whether node_modules was installed from the present lock file. */
function isInstalled() {
  const marker = join(projectRoot, 'node_modules/.package-lock.json')
  const lock = join(projectRoot, 'package-lock.json')
  if (!existsSync(marker)) return false
  return !existsSync(lock) || statSync(marker).mtimeMs >= statSync(lock).mtimeMs - 1
}

/** Installs the packages unless that has been done. */
export function ensureDependencies() {
  if (isInstalled()) return
  process.stdout.write('Installing the npm packages this project needs ...\n')
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
  run(npm, ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'], {
    shell: process.platform === 'win32',
  })
}
