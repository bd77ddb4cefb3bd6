/**
 * What Electron needs from a Linux system: shared libraries and a display. Shared by `npm start` and the tests.
 *
 * As root with apt the libraries are installed; anywhere else the exact command is named, because a program that asks
 * for a password on the side is not to be trusted.
 */

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

/** Library file, and the package that has it by package manager. */
const libraries = [
  { file: 'libgtk-3.so.0', apt: 'libgtk-3-0', dnf: 'gtk3', pacman: 'gtk3' },
  { file: 'libnss3.so', apt: 'libnss3', dnf: 'nss', pacman: 'nss' },
  { file: 'libasound.so.2', apt: 'libasound2', dnf: 'alsa-lib', pacman: 'alsa-lib' },
  { file: 'libgbm.so.1', apt: 'libgbm1', dnf: 'mesa-libgbm', pacman: 'mesa' },
  { file: 'libXss.so.1', apt: 'libxss1', dnf: 'libXScrnSaver', pacman: 'libxss' },
  { file: 'libnotify.so.4', apt: 'libnotify4', dnf: 'libnotify', pacman: 'libnotify' },
  { file: 'libsecret-1.so.0', apt: 'libsecret-1-0', dnf: 'libsecret', pacman: 'libsecret' },
]

const virtualDisplay = { apt: 'xvfb', dnf: 'xorg-x11-server-Xvfb', pacman: 'xorg-server-xvfb' }

/** A library is missing and could not be installed; the message is the sentence for the user. */
export class LibrariesMissing extends Error {
  name = 'LibrariesMissing'
}

/**
 * Makes sure that the libraries are there, and the virtual display where it is asked for.
 *
 * @param {{ needsVirtualDisplay?: boolean, say?: (line: string) => void }} [options]
 * @throws {LibrariesMissing}
 */
export function ensureSystemLibraries(options = {}) {
  if (process.platform !== 'linux') return
  const say = options.say ?? (() => undefined)
  const missing = findMissing(options)
  if (missing.length === 0) return
  const manager = findPackageManager()
  const names = missing.map((entry) => entry.what).join(', ')
  if (manager === undefined) {
    throw new LibrariesMissing(`Electron needs ${names}, which this system lacks.`)
  }
  const packages = missing.map((entry) =>
    manager.name === 'apt' ? aptNameOf(entry.apt) : entry[manager.name],
  )
  const command = [...manager.install, ...packages]
  if (manager.name !== 'apt' || !isRoot()) {
    throw new LibrariesMissing(
      `Electron needs ${names}, which this system lacks; install with: sudo ${command.join(' ')}`,
    )
  }
  say(`Installing ${packages.join(' ')}…`)
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const install = () =>
    spawnSync(command[0], command.slice(1), { env: environment, encoding: 'utf8' })
  let result = install()
  if (result.status !== 0) {
    // A fresh image has no package lists.
    spawnSync('apt-get', ['update'], { env: environment, encoding: 'utf8' })
    result = install()
  }
  if (findMissing(options).length > 0) {
    const lastLine = (result.stderr ?? '').trim().split('\n').at(-1) ?? ''
    throw new LibrariesMissing(
      `Electron needs ${names}; "${command.join(' ')}" did not help: ${lastLine}`,
    )
  }
}

/**
 * Whether windows can be shown.
 *
 * @returns {boolean} true on systems that always have a display
 */
export function hasDisplay() {
  if (process.platform !== 'linux') return true
  return [process.env.DISPLAY, process.env.WAYLAND_DISPLAY].some(
    (display) => display !== undefined && display !== '',
  )
}

/** Whether the process has all rights; Chromium refuses to sandbox itself then. */
export function isRoot() {
  return process.getuid?.() === 0
}

function findMissing(options) {
  const known = knownLibraryFiles()
  const missing = libraries
    .filter((library) => !known.has(library.file))
    .map((library) => ({ what: library.file, ...library }))
  if (options.needsVirtualDisplay === true && !isOnPath('Xvfb')) {
    missing.push({ what: 'Xvfb', ...virtualDisplay })
  }
  return missing
}

/** Names of all shared libraries that the loader knows. */
function knownLibraryFiles() {
  const loader = ['/sbin/ldconfig', '/usr/sbin/ldconfig'].find((path) => existsSync(path))
  const result = spawnSync(loader ?? 'ldconfig', ['-p'], { encoding: 'utf8' })
  // Systems without a loader cache (musl, NixOS) cannot be asked; the start itself will tell then.
  if (result.status !== 0) return new Set(libraries.map((library) => library.file))
  return new Set(result.stdout.split('\n').map((line) => line.trim().split(' ')[0]))
}

function findPackageManager() {
  if (isOnPath('apt-get')) return { name: 'apt', install: ['apt-get', 'install', '-y'] }
  if (isOnPath('dnf')) return { name: 'dnf', install: ['dnf', 'install', '-y'] }
  if (isOnPath('pacman')) return { name: 'pacman', install: ['pacman', '-S', '--needed'] }
  return undefined
}

/** Debian 13 and Ubuntu 24.04 renamed some packages when time became 64 bits wide. */
function aptNameOf(name) {
  const renamed = `${name}t64`
  return spawnSync('apt-cache', ['show', renamed], { encoding: 'utf8' }).status === 0
    ? renamed
    : name
}

function isOnPath(program) {
  return (process.env.PATH ?? '')
    .split(':')
    .some((directory) => directory !== '' && existsSync(`${directory}/${program}`))
}
