import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { StorageFault } from '../../../../src/core/errors/storage-fault.ts'
import { lockDirectory } from '../../../../src/core/io/directory-lock.ts'

let folder = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lock-'))
})

afterEach(() => {
  rmSync(folder, { recursive: true })
})

/** Another process that listens on the socket of a directory, as an owner does. */
async function startOwner(directory: string) {
  const code = `
    const { openSync } = require('node:fs')
    const path = '/proc/self/fd/' + openSync(${JSON.stringify(directory)}, 'r') + '/lock.sock'
    require('node:net').createServer((socket) => socket.end(String(process.pid))).listen(path, () => console.log('held'))`
  const owner = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
  await new Promise((resolve) => owner.stdout.once('data', resolve))
  return owner
}

async function refusal(directory: string): Promise<string> {
  const outcome = await lockDirectory(directory).catch((error: unknown) => error)
  expect(outcome).toBeInstanceOf(StorageFault)
  return (outcome as StorageFault).message
}

describe('lockDirectory', () => {
  test('is refused while the lock is held, and granted again after its release', async () => {
    const first = await lockDirectory(folder)
    expect(await refusal(folder)).toBe(
      `the data directory ${folder} is in use by process ${process.pid}`,
    )
    await first.release()
    await first.release()
    const second = await lockDirectory(folder)
    await second.release()
  })

  test('works where the path is longer than a socket address', async () => {
    const long = join(folder, 'a'.repeat(120), 'b'.repeat(120))
    mkdirSync(long, { recursive: true })
    const first = await lockDirectory(long)
    expect(await refusal(long)).toBe(
      `the data directory ${long} is in use by process ${process.pid}`,
    )
    await first.release()
    await (await lockDirectory(long)).release()
  })

  test('a directory that is not there is refused with its name', async () => {
    expect(await refusal(join(folder, 'absent'))).toContain(
      `the data directory ${join(folder, 'absent')} cannot be locked`,
    )
  })

  test.runIf(process.platform === 'linux')(
    'the lock of a running process is respected, that of a killed one taken over',
    async () => {
      const owner = await startOwner(folder)
      expect(await refusal(folder)).toBe(
        `the data directory ${folder} is in use by process ${owner.pid!}`,
      )
      owner.kill('SIGKILL')
      await new Promise((resolve) => owner.once('exit', resolve))
      const lock = await lockDirectory(folder)
      expect(await refusal(folder)).toContain('is in use by process')
      await lock.release()
    },
  )

  test.runIf(process.platform === 'linux')(
    'the lock of a stopped process is respected',
    async () => {
      const owner = await startOwner(folder)
      owner.kill('SIGSTOP')
      expect(await refusal(folder)).toBe(
        `the data directory ${folder} is in use by another process`,
      )
      owner.kill('SIGKILL')
      await new Promise((resolve) => owner.once('exit', resolve))
    },
  )

  test.runIf(process.platform === 'linux')(
    'of several that find a dead lock at once, at most one gets it',
    async () => {
      for (let round = 0; round < 10; round++) {
        const owner = await startOwner(folder)
        owner.kill('SIGKILL')
        await new Promise((resolve) => owner.once('exit', resolve))
        const outcomes = await Promise.allSettled([
          lockDirectory(folder),
          lockDirectory(folder),
          lockDirectory(folder),
        ])
        const locks = outcomes.flatMap((outcome) =>
          outcome.status === 'fulfilled' ? [outcome.value] : [],
        )
        expect(locks.length).toBeLessThanOrEqual(1)
        for (const lock of locks) await lock.release()
        rmSync(join(folder, 'lock.sock'), { force: true })
      }
    },
  )
})
