/**
 * One process per data directory.
 *
 * Node cannot take an advisory file lock, so the claim is a Unix socket in the directory: it answers while its owner lives
 * and falls silent with it, however the owner died. Whoever finds a socket that refuses connections removes it and takes
 * its place. Two processes may find the same dead socket at once; see {@link takeOver} for which of them gets it.
 *
 * A socket's path holds some hundred bytes at most, less than many a data directory has. On Linux the directory is
 * therefore addressed through its open descriptor (`/proc/self/fd/N`); elsewhere a long path goes through a short symbolic
 * link in the temporary folder. On Windows the claim is a named pipe, which the system itself keeps exclusive.
 */
import { createHash, randomBytes } from 'node:crypto'
import { close, link, open, rm, stat, symlink, type BigIntStats } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { StorageFault } from '../errors/storage-fault.ts'

/** An exclusive claim on a data directory. It ends with `release`, or with the process however that dies. */
export interface DirectoryLock {
  release(): Promise<void>
}

const socketName = 'lock.sock'
/** A socket's path holds 103 bytes or more, depending on the system; the longest name in the folder has ten. */
const folderPathBytesMax = 90
/** A right to remove a dead socket that is older was left behind by a process that died within it. */
const abandonedMs = 10_000
const answerWaitMs = 2_000

/**
 * Claims an existing directory for this process.
 *
 * @throws StorageFault  another running process holds it, or the directory cannot be used; the message names both
 */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const path = resolve(directory)
  const address = await socketAddress(path)
  try {
    return await claim(path, address)
  } catch (error) {
    await address.dispose()
    if (error instanceof StorageFault) throw error
    const reason = error instanceof Error ? error.message : String(error)
    throw new StorageFault(`the data directory ${path} cannot be locked: ${reason}`, {
      path,
      cause: error,
    })
  }
}

/** A short way to the folder of the socket, or to the pipe, and what ends it. */
interface SocketAddress {
  readonly path: string
  readonly isFile: boolean
  dispose(): Promise<void>
}

async function claim(directory: string, address: SocketAddress): Promise<DirectoryLock> {
  if (!address.isFile) {
    const server = await listen(address.path)
    if (server === undefined) throw inUse(directory, await askOwner(address.path))
    return lockOf(server, address)
  }
  const path = join(address.path, socketName)
  const ownPath = join(address.path, `l.${randomBytes(4).toString('hex')}`)
  // Listening comes before the name: whoever finds the name and is refused may be sure that its owner is gone.
  const server = await listen(ownPath)
  if (server === undefined) throw inUse(directory, undefined)
  try {
    if (!(await isGiven(ownPath, path))) await takeOver(directory, { path, ownPath })
  } catch (error) {
    await new Promise((done) => server.close(done))
    throw error
  } finally {
    await promisify(rm)(ownPath, { force: true })
  }
  return lockOf(server, address, path)
}

function inUse(directory: string, owner: string | undefined): StorageFault {
  const who = owner === undefined || owner === '' ? 'another process' : `process ${owner}`
  return new StorageFault(`the data directory ${directory} is in use by ${who}`, {
    path: directory,
  })
}

/**
 * Gives the name of a dead socket to the one at `ownPath`.
 *
 * The right to remove one certain dead socket is a second name for it, made of what tells it from every other: a name can
 * be given once. As long as the second name stands nobody else removes that socket, and the first name cannot mean another.
 *
 * @throws StorageFault  the socket is not dead, or another process was faster
 */
async function takeOver(
  directory: string,
  { path, ownPath }: { readonly path: string; readonly ownPath: string },
): Promise<void> {
  const found = await identityOf(path)
  const owner = await askOwner(path)
  if (owner !== undefined || found === undefined) throw inUse(directory, owner)
  const rightPath = `${path}.${found}`
  if (!(await isGiven(path, rightPath))) {
    if (!(await isAbandoned(rightPath))) throw inUse(directory, undefined)
    await promisify(rm)(rightPath, { force: true })
    if (!(await isGiven(path, rightPath))) throw inUse(directory, undefined)
  }
  try {
    // A living socket may have come in between; then this is a name for that one, and no right.
    if ((await identityOf(rightPath)) !== found) throw inUse(directory, undefined)
    await promisify(rm)(path, { force: true })
    if (!(await isGiven(ownPath, path))) throw inUse(directory, undefined)
  } finally {
    await promisify(rm)(rightPath, { force: true })
  }
}

/** False when that name is taken, or there is nothing to name. */
async function isGiven(path: string, name: string): Promise<boolean> {
  try {
    await promisify(link)(path, name)
    return true
  } catch (error) {
    if (hasCode(error, 'EEXIST') || hasCode(error, 'ENOENT')) return false
    throw error
  }
}

/** Whoever holds a right uses it within milliseconds, unless he died over it. */
async function isAbandoned(claimPath: string): Promise<boolean> {
  try {
    const { ctimeMs } = await promisify(stat)(claimPath)
    return Date.now() - ctimeMs > abandonedMs
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false
    throw error
  }
}

/** Tells a socket from every other that ever had its name: numbers of files are used again, not at the same instant. */
async function identityOf(path: string): Promise<string | undefined> {
  try {
    const { ino, mtimeNs } = await promisify(statPrecisely)(path)
    return `${ino}-${mtimeNs}`
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}

function statPrecisely(
  path: string,
  done: (error: NodeJS.ErrnoException | null, stats: BigIntStats) => void,
): void {
  stat(path, { bigint: true }, done)
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

/** @param path  of the socket where it is a file */
function lockOf(server: Server, address: SocketAddress, path?: string): DirectoryLock {
  // A lock alone keeps no process running.
  server.unref()
  let isHeld = true
  return {
    release: async () => {
      if (!isHeld) return
      isHeld = false
      if (path !== undefined) await promisify(rm)(path, { force: true })
      await new Promise((done) => server.close(done))
      await address.dispose()
    },
  }
}

/** Undefined when the name is taken. Whoever connects is told the owner's process id. */
function listen(path: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      socket.on('error', () => {
        socket.destroy()
      })
      socket.end(`${process.pid}`)
    })
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined)
      else reject(error)
    })
    server.listen(path, () => {
      resolve(server)
    })
  })
}

/** The owner's process id as text, empty when it does not answer in time; undefined when nobody listens. */
function askOwner(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path)
    let answer = ''
    // A stopped owner accepts no more, but it still owns.
    const timer = setTimeout(() => {
      socket.destroy()
      resolve('')
    }, answerWaitMs)
    const finish = (result: string | undefined): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(result)
    }
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1')
    })
    socket.on('end', () => {
      finish(answer.replace(/[^0-9]/g, '').slice(0, 10))
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // A full queue means that somebody listens and is slow.
      finish(error.code === 'EAGAIN' || error.code === 'ECONNRESET' ? '' : undefined)
    })
  })
}

async function socketAddress(directory: string): Promise<SocketAddress> {
  const nothing = (): Promise<void> => Promise.resolve()
  const name = createHash('sha256').update(directory).digest('hex').slice(0, 24)
  if (process.platform === 'win32') {
    return { path: `\\\\.\\pipe\\quorate-${name}`, isFile: false, dispose: nothing }
  }
  if (Buffer.byteLength(directory) <= folderPathBytesMax) {
    return { path: directory, isFile: true, dispose: nothing }
  }
  if (process.platform === 'linux') {
    const descriptor = await promisify(open)(directory, 'r')
    const dispose = (): Promise<void> => promisify(close)(descriptor)
    return { path: `/proc/self/fd/${descriptor}`, isFile: true, dispose }
  }
  const shortPath = join(tmpdir(), `quorate-${name}-${process.pid}`)
  await promisify(rm)(shortPath, { force: true })
  await promisify(symlink)(directory, shortPath)
  const dispose = (): Promise<void> => promisify(rm)(shortPath, { force: true })
  return { path: shortPath, isFile: true, dispose }
}
