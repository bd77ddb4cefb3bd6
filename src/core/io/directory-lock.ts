/**
 * One process per data directory.
 *
 * Node cannot take an advisory file lock, so the claim is a Unix socket in the directory: it answers while its owner lives
 * and falls silent with it, however the owner died. Whoever finds a socket that refuses connections removes it and takes
 * its place. Two processes may find the same dead socket at once; so the one that removed it waits a little and then looks
 * whether the name is still its own.
 *
 * A socket's path holds some hundred bytes at most, less than many a data directory has. On Linux the directory is
 * therefore addressed through its open descriptor (`/proc/self/fd/N`); elsewhere a long path goes through a short symbolic
 * link in the temporary folder. On Windows the claim is a named pipe, which the system itself keeps exclusive.
 */
import { createHash } from 'node:crypto'
import { close, open, rm, stat, symlink } from 'node:fs'
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
const socketPathBytesMax = 100
/** Longer than a process needs between finding a dead socket and removing it. */
const takeoverWaitMs = 100
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

/** A short way to the socket, and what ends it. */
interface SocketAddress {
  readonly path: string
  readonly isFile: boolean
  dispose(): Promise<void>
}

async function claim(directory: string, address: SocketAddress): Promise<DirectoryLock> {
  const first = await listen(address.path)
  if (first !== undefined) return lockOf(first, address)
  const owner = await askOwner(address.path)
  if (owner !== undefined || !address.isFile) {
    const who = owner === undefined || owner === '' ? 'another process' : `process ${owner}`
    throw new StorageFault(`the data directory ${directory} is in use by ${who}`, {
      path: directory,
    })
  }
  await promisify(rm)(address.path, { force: true })
  const second = await listen(address.path)
  if (second !== undefined) {
    const inode = await inodeOf(address.path)
    await new Promise((done) => setTimeout(done, takeoverWaitMs))
    if (inode !== undefined && (await inodeOf(address.path)) === inode)
      return lockOf(second, address)
    // Closing would remove the winner's socket, which has this name now; the descriptor ends with the process.
    second.unref()
  }
  throw new StorageFault(`the data directory ${directory} is in use by another process`, {
    path: directory,
  })
}

function lockOf(server: Server, address: SocketAddress): DirectoryLock {
  // A lock alone keeps no process running.
  server.unref()
  let isHeld = true
  return {
    release: async () => {
      if (!isHeld) return
      isHeld = false
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

async function inodeOf(path: string): Promise<number | undefined> {
  try {
    return (await promisify(stat)(path)).ino
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

async function socketAddress(directory: string): Promise<SocketAddress> {
  const nothing = (): Promise<void> => Promise.resolve()
  const name = createHash('sha256').update(directory).digest('hex').slice(0, 24)
  if (process.platform === 'win32') {
    return { path: `\\\\.\\pipe\\quorate-${name}`, isFile: false, dispose: nothing }
  }
  const direct = join(directory, socketName)
  if (Buffer.byteLength(direct) <= socketPathBytesMax) {
    return { path: direct, isFile: true, dispose: nothing }
  }
  if (process.platform === 'linux') {
    const descriptor = await promisify(open)(directory, 'r')
    const dispose = (): Promise<void> => promisify(close)(descriptor)
    return { path: `/proc/self/fd/${descriptor}/${socketName}`, isFile: true, dispose }
  }
  const link = join(tmpdir(), `quorate-${name}-${process.pid}`)
  await promisify(rm)(link, { force: true })
  await promisify(symlink)(directory, link)
  const dispose = (): Promise<void> => promisify(rm)(link, { force: true })
  return { path: join(link, socketName), isFile: true, dispose }
}
