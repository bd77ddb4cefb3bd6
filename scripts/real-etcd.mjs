/**
 * Finds the real etcd that the compatibility tests and benchmarks stand beside: `etcd` and `etcdctl` on the PATH, or
 * Debian's packages, installed as root and otherwise unpacked into a cache folder. Benchmarks want the 3.5 of a newer Debian.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
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

const benchFolder = join(projectRoot, 'node_modules', '.cache', 'etcd-3.5')
const benchBin = join(benchFolder, 'usr', 'bin')
const benchRelease = 'trixie'
const debianKeys = '/usr/share/keyrings/debian-archive-keyring.gpg'

/** Where this system takes Debian's main archive from; undefined when it does not. */
function debianMirror() {
  const format = '$(REPO_URI) $(ORIGIN) $(LABEL) $(RELEASE)'
  const targets = spawnSync(
    'apt-get',
    ['indextargets', '--format', format, 'Created-By: Packages'],
    { encoding: 'utf8' },
  )
  const lines = (targets.stdout ?? '').split('\n').map((line) => line.split(' '))
  return lines.find(
    ([uri, origin, label, release]) =>
      uri && origin === 'Debian' && label === 'Debian' && !release?.includes('-'),
  )?.[0]
}

/** Downloads packages of another release with lists of its own, so that the system's sources stay as they are. */
function downloadFromRelease(folder) {
  const mirror = debianMirror()
  if (mirror === undefined) return false
  const lists = join(folder, 'lists')
  mkdirSync(join(lists, 'partial'), { recursive: true })
  const sources = join(folder, 'sources.list')
  writeFileSync(sources, `deb [signed-by=${debianKeys}] ${mirror} ${benchRelease} main\n`)
  const options = [
    `Dir::Etc::sourcelist=${sources}`,
    'Dir::Etc::sourceparts=/dev/null',
    `Dir::State::lists=${lists}`,
    'Dir::Cache::pkgcache=',
    'Dir::Cache::srcpkgcache=',
    'APT::Sandbox::User=root',
  ].flatMap((option) => ['-o', option])
  const call = (...command) =>
    spawnSync('apt-get', [...options, ...command], { cwd: folder, stdio: 'ignore' }).status === 0
  const isDone = call('update') && call('download', ...packages)
  rmSync(lists, { recursive: true, force: true })
  return (
    isDone &&
    readdirSync(folder)
      .filter((name) => name.endsWith('.deb'))
      .every((name) => spawnSync('dpkg-deb', ['-x', name, '.'], { cwd: folder }).status === 0)
  )
}

/**
 * The etcd that benchmarks are run against: 3.5 of the Debian release after the one that has 3.4, unpacked into a cache folder;
 * `ETCD` in the environment names another. Where neither is to be had, the one on the PATH.
 *
 * @param {{ say?: (line: string) => void }} [options]
 * @returns {{ command: string, version: string, isExpected: boolean }} the program, what it calls itself, and whether it is a 3.5
 * @throws {EtcdMissing}
 */
export function ensureEtcdForBench(options = {}) {
  let command = process.env.ETCD ?? join(benchBin, 'etcd')
  if (process.env.ETCD === undefined && !isComplete(benchBin)) {
    options.say?.(`Unpacking ${packages.join(' ')} of Debian ${benchRelease}…`)
    mkdirSync(benchFolder, { recursive: true })
    if (!downloadFromRelease(benchFolder) || !isComplete(benchBin)) {
      ensureRealEtcd(options)
      command = 'etcd'
    }
  }
  const told = spawnSync(command, ['--version'], { encoding: 'utf8' })
  const version = /etcd Version: (\S+)/.exec(told.stdout ?? '')?.[1]
  if (version === undefined) throw new EtcdMissing(`${command} --version printed no version`)
  return { command, version, isExpected: version.startsWith('3.5.') }
}
