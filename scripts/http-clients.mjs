/**
 * HTTP clients that the tests let loose on a node: curl, and h2load and nghttp from Debian's nghttp2-client. As root with apt
 * they are installed; elsewhere the tests that need a missing one are skipped.
 */
import { spawnSync } from 'node:child_process'

const packages = { curl: 'curl', h2load: 'nghttp2-client', nghttp: 'nghttp2-client' }

const isInstalled = (program) => spawnSync(program, ['--version']).error === undefined

/**
 * Installs what is missing, where that is possible without asking.
 *
 * @param {{ say?: (line: string) => void }} [options]
 */
export function ensureHttpClients(options = {}) {
  const programs = Object.keys(packages)
  const missing = new Set(
    programs.filter((name) => !isInstalled(name)).map((name) => packages[name]),
  )
  if (missing.size === 0) return
  if (process.platform === 'linux' && process.getuid?.() === 0) {
    options.say?.(`Installing ${[...missing].join(' ')}…`)
    const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
    const apt = (...words) => spawnSync('apt-get', words, { env: environment, stdio: 'ignore' })
    if (apt('install', '-y', ...missing).status === 0) return
    // A fresh image has no package lists.
    apt('update')
    if (apt('install', '-y', ...missing).status === 0) return
  }
  options.say?.(`Tests with ${[...missing].join(' ')} are skipped: not installed`)
}
