/**
 * Starts the two servers that are compared, on equal terms: one node each, the same flags, the same disk, normal fsync.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const quorated = fileURLToPath(new URL('../bin/quorated', import.meta.url))

/** A port on 127.0.0.1 that was free a moment ago. */
function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

async function waitForHealth(url, child, timeoutMs = 20_000) {
  const deadlineMs = performance.now() + timeoutMs
  while (performance.now() < deadlineMs) {
    if (child.exitCode !== null)
      throw new Error(`the server ended with exit code ${child.exitCode}`)
    const isHealthy = await fetch(`${url}/health`).then(
      async (response) => response.ok && (await response.json()).health === 'true',
      () => false,
    )
    if (isHealthy) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`${url} was not healthy within ${timeoutMs} ms`)
}

/**
 * Starts one server.
 * @param {'quorate' | 'etcd'} kind
 * @returns {Promise<{ port: number, stop: () => Promise<void> }>}
 */
export async function startServer(kind) {
  const folder = mkdtempSync(join(tmpdir(), `bench-${kind}-`))
  const [clientPort, peerPort] = [await freePort(), await freePort()]
  const clientUrl = `http://127.0.0.1:${clientPort}`
  const peerUrl = `http://127.0.0.1:${peerPort}`
  const command = kind === 'etcd' ? (process.env.ETCD ?? 'etcd') : quorated
  const child = spawn(
    command,
    [
      '--name=bench',
      `--data-dir=${join(folder, 'data')}`,
      `--listen-client-urls=${clientUrl}`,
      `--advertise-client-urls=${clientUrl}`,
      `--listen-peer-urls=${peerUrl}`,
      `--initial-advertise-peer-urls=${peerUrl}`,
      `--initial-cluster=bench=${peerUrl}`,
      '--log-level=error',
    ],
    { stdio: 'ignore' },
  )
  const ended = new Promise((resolve, reject) => {
    child.once('exit', resolve)
    child.once('error', (error) =>
      reject(new Error(`${command} could not be started`, { cause: error })),
    )
  })
  const stop = async () => {
    if (child.exitCode === null) child.kill('SIGTERM')
    await ended
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await Promise.race([waitForHealth(clientUrl, child), ended.then(() => undefined)])
  } catch (error) {
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
    throw error
  }
  return { port: clientPort, stop }
}
