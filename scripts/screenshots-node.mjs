/** A store node of its own for pictures: of a size, of users, or of a failure that the filled cluster is not to have. */

import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import { rootDirectory } from './electron-runtime.mjs'

const startTimeoutMs = 30_000
const keysPerTxn = 100
const callsAtOnce = 16

const base64 = (text) => Buffer.from(text).toString('base64')

/** A port that was free a moment ago. */
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Starts a node; `dispose` ends it, and its data goes with it. */
export async function startNode() {
  const folder = mkdtempSync(join(tmpdir(), 'quorate-picture-node-'))
  const url = `http://127.0.0.1:${String(await freePort())}`
  const peerUrl = `http://127.0.0.1:${String(await freePort())}`
  const child = spawn(
    join(rootDirectory, 'bin', 'quorated'),
    [
      ...['--name=n1', `--data-dir=${folder}`, '--log-level=error'],
      ...[`--listen-client-urls=${url}`, `--advertise-client-urls=${url}`],
      ...[`--listen-peer-urls=${peerUrl}`, `--initial-advertise-peer-urls=${peerUrl}`],
      `--initial-cluster=n1=${peerUrl}`,
    ],
    { stdio: 'ignore' },
  )
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const node = { url, child, post: (path, body) => post(url, path, body) }
  const dispose = async () => {
    child.kill('SIGKILL')
    await ended
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await untilHealthy(url)
  } catch (failure) {
    await dispose()
    throw failure
  }
  return { ...node, dispose }
}

async function untilHealthy(url) {
  const deadlineMs = Date.now() + startTimeoutMs
  for (;;) {
    try {
      if ((await fetch(`${url}/health`)).ok) return
    } catch (failure) {
      if (Date.now() > deadlineMs) throw failure
    }
    await after(50)
  }
}

async function post(url, path, body) {
  const reply = await fetch(`${url}/v3/${path}`, { method: 'POST', body: JSON.stringify(body) })
  const answer = await reply.json()
  if (!reply.ok) throw new Error(`${path}: ${JSON.stringify(answer)}`)
  return answer
}

/** Puts `count` keys, a hundred in a transaction. */
export async function putKeys(node, { count, keyOf, valueOf }) {
  let next = 0
  const work = async () => {
    while (next < count) {
      const first = next
      next += keysPerTxn
      const success = Array.from({ length: Math.min(keysPerTxn, count - first) }, (_, at) => ({
        requestPut: { key: base64(keyOf(first + at)), value: base64(valueOf(first + at)) },
      }))
      await node.post('kv/txn', { success })
    }
  }
  await Promise.all(Array.from({ length: callsAtOnce }, work))
}

/** Users are checked from now on; `alice` may read one prefix and nothing else. */
export async function checkUsers(node, prefix) {
  const end = Buffer.from(prefix)
  end[end.length - 1] += 1
  const perm = { permType: 'READ', key: base64(prefix), range_end: end.toString('base64') }
  await node.post('auth/user/add', { name: 'root', password: 'root' })
  await node.post('auth/role/add', { name: 'root' })
  await node.post('auth/user/grant', { user: 'root', role: 'root' })
  await node.post('auth/user/add', { name: 'alice', password: 'alice' })
  await node.post('auth/role/add', { name: 'flags-reader' })
  await node.post('auth/role/grant', { name: 'flags-reader', perm })
  await node.post('auth/user/grant', { user: 'alice', role: 'flags-reader' })
  await node.post('auth/enable', {})
}
