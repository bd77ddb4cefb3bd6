/**
 * Finds the real etcd that the compatibility tests and benchmarks stand beside: `etcd` and `etcdctl` on the PATH, or
 * Debian's packages, installed as root and otherwise unpacked into a cache folder.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { projectRoot } from './dependencies.mjs'

const cacheFolder = join(projectRoot, 'node_modules', '.cache', 'etcd')
const unpackedBin = join(cacheFolder, 'usr', 'bin')
const packages = ['etcd-server', 'etcd-client']
const programs = ['etcd', 'etcdctl']

/** There is no etcd and none could be had; the message is the sentence for the user. */
export class EtcdMissing extends Error {
  name = 'EtcdMissing'
}

function isComplete(directory) {
  return programs.every((name) => existsSync(join(directory, name)))
}

function isOnPath() {
  return (process.env.PATH ?? '').split(delimiter).some((directory) => isComplete(directory))
}

function apt(command, cwd) {
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const attempt = () =>
    spawnSync('apt-get', command, { cwd, env: environment, stdio: 'ignore' }).status === 0
  if (attempt()) return true
  // A fresh image has no package lists.
  spawnSync('apt-get', ['update'], { env: environment, stdio: 'ignore' })
  return attempt()
}

function unpackPackages() {
  mkdirSync(cacheFolder, { recursive: true })
  if (!apt(['download', ...packages], cacheFolder)) return false
  return readdirSync(cacheFolder)
    .filter((name) => name.endsWith('.deb'))
    .every((name) => spawnSync('dpkg-deb', ['-x', name, '.'], { cwd: cacheFolder }).status === 0)
}

/**
 * Makes `etcd` and `etcdctl` callable by name in this process and its children.
 *
 * @param {{ say?: (line: string) => void }} [options]
 * @throws {EtcdMissing}
 */
export function ensureRealEtcd(options = {}) {
  if (isOnPath()) return
  if (!isComplete(unpackedBin)) {
    options.say?.(`Installing ${packages.join(' ')}…`)
    const isRoot = process.getuid?.() === 0
    if (isRoot && apt(['install', '-y', ...packages]) && isOnPath()) return
    if (!unpackPackages() || !isComplete(unpackedBin)) {
      throw new EtcdMissing(
        `The tests compare with a real etcd, which this system lacks; install with: sudo apt-get install -y ${packages.join(' ')}`,
      )
    }
  }
  process.env.PATH = `${unpackedBin}${delimiter}${process.env.PATH ?? ''}`
}
