import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { nodeFileSystem } from '../../../../src/core/io/node-file-system.ts'

let folder = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'files-'))
})

afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

const bytes = (...values: number[]): Uint8Array => new Uint8Array(values)

describe('nodeFileSystem', () => {
  test('writes chunks one after the other at an offset and reads them back', async () => {
    const handle = await nodeFileSystem.open(join(folder, 'a'), { create: true })
    await handle.write(2, [bytes(1, 2), bytes(), bytes(3)])
    await handle.sync()
    expect(await handle.read(0, 10)).toEqual(bytes(0, 0, 1, 2, 3))
    expect(await handle.read(3, 1)).toEqual(bytes(2))
    expect(await handle.read(9, 5)).toEqual(bytes())
    await handle.truncate(3)
    await handle.close()
    expect(await nodeFileSystem.findSize(join(folder, 'a'))).toBe(3)
  })

  test('opening to create keeps what is there', async () => {
    const path = join(folder, 'a')
    const first = await nodeFileSystem.open(path, { create: true })
    await first.write(0, [bytes(7)])
    await first.close()
    const second = await nodeFileSystem.open(path, { create: true })
    expect(await second.read(0, 5)).toEqual(bytes(7))
    await second.close()
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  test("opening what is not there fails with the system's code", async () => {
    const path = join(folder, 'absent')
    await expect(nodeFileSystem.open(path, { create: false })).rejects.toMatchObject({
      code: 'ENOENT',
    })
    await expect(nodeFileSystem.openForReading(path)).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(nodeFileSystem.list(path)).rejects.toMatchObject({ code: 'ENOENT' })
    expect(await nodeFileSystem.findSize(path)).toBeUndefined()
    await nodeFileSystem.remove(path)
    await nodeFileSystem.removeTree(path)
  })

  test('a handle for reading does not write', async () => {
    const path = join(folder, 'a')
    await (await nodeFileSystem.open(path, { create: true })).close()
    const handle = await nodeFileSystem.openForReading(path)
    await expect(handle.write(0, [bytes(1)])).rejects.toMatchObject({ code: 'EBADF' })
    await handle.close()
  })

  test('directories are made with their parents, listed in order, synced and removed', async () => {
    const directory = join(folder, 'x', 'y')
    await nodeFileSystem.makeDirectory(directory)
    await nodeFileSystem.makeDirectory(directory)
    expect(statSync(directory).mode & 0o777).toBe(0o700)
    for (const name of ['b', 'a', 'c'])
      await (await nodeFileSystem.open(join(directory, name), { create: true })).close()
    await nodeFileSystem.rename(join(directory, 'c'), join(directory, '0'))
    await nodeFileSystem.syncDirectory(directory)
    expect(await nodeFileSystem.list(directory)).toEqual(['0', 'a', 'b'])
    await nodeFileSystem.removeTree(join(folder, 'x'))
    expect(await nodeFileSystem.findSize(directory)).toBeUndefined()
  })
})
