import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ChosenFiles } from '../../../../src/main/files/chosen-files.ts'

let directory = ''
let chosen: string | undefined
let suggested = ''
let files: ChosenFiles
let tokens: string[]

beforeEach(() => {
  tokens = []
  directory = mkdtempSync(join(tmpdir(), 'quorate-files-'))
  chosen = join(directory, 'out.bin')
  files = new ChosenFiles({
    chooseSave: (name) => {
      suggested = name
      return Promise.resolve(chosen)
    },
    chooseOpen: () => Promise.resolve(chosen),
  })
})
afterEach(async () => {
  // A file that nobody closes is closed with its memory, with a warning at any later time.
  for (const token of tokens) await files.abandonSave(token)
  rmSync(directory, { recursive: true, force: true })
})

async function begin(suggestedName = 'a'): Promise<string> {
  const begun = await files.beginSave({ suggestedName, filters: [] })
  if (begun.kind !== 'chosen') throw new Error('cancelled')
  tokens.push(begun.token)
  return begun.token
}

describe('saving', () => {
  test('parts become one file under its name, and only at the end', async () => {
    writeFileSync(join(directory, 'out.bin'), 'before')
    const token = await begin()
    await files.append(token, Uint8Array.of(1, 2))
    await files.append(token, Uint8Array.of(3))
    expect(readFileSync(join(directory, 'out.bin'), 'utf8')).toBe('before')
    expect(await files.finishSave(token)).toEqual({ name: 'out.bin', sizeBytes: 3 })
    expect([...readFileSync(join(directory, 'out.bin'))]).toEqual([1, 2, 3])
    expect(readdirSync(directory)).toEqual(['out.bin'])
  })

  test('giving up leaves nothing behind, and the token is worth nothing then', async () => {
    const token = await begin()
    await files.append(token, Uint8Array.of(1))
    await files.abandonSave(token)
    await files.abandonSave(token)
    expect(readdirSync(directory)).toEqual([])
    await expect(files.append(token, Uint8Array.of(1))).rejects.toMatchObject({
      code: 'unknownFile',
    })
  })

  test('a suggested name is a name, whatever stood in the key', async () => {
    await begin('../../etc/pass\u0000wd\u202e:x')
    expect(suggested).toBe('_.._etc_pass_wd__x')
    await begin('..')
    expect(suggested).toBe('value')
  })

  test('a closed dialog and a folder that is not there', async () => {
    chosen = undefined
    expect(await files.beginSave({ suggestedName: 'a', filters: [] })).toEqual({
      kind: 'cancelled',
    })
    chosen = join(directory, 'no', 'such')
    await expect(begin()).rejects.toMatchObject({ code: 'fileFailed' })
  })

  test('a page that forgets its files cannot keep ever more of them open', async () => {
    for (let count = 0; count < 20; count++) await begin()
    expect(readdirSync(directory)).toHaveLength(8)
  })
})

describe('opening', () => {
  test('gives the bytes and the base name', async () => {
    writeFileSync(join(directory, 'out.bin'), 'abc')
    expect(await files.open({ filters: [], sizeBytesMax: 3 })).toEqual({
      kind: 'chosen',
      name: 'out.bin',
      bytes: Uint8Array.of(97, 98, 99),
    })
  })

  test('a larger file is refused without being read', async () => {
    writeFileSync(join(directory, 'out.bin'), 'abcd')
    await expect(files.open({ filters: [], sizeBytesMax: 3 })).rejects.toMatchObject({
      code: 'fileTooLarge',
    })
  })

  test('what is no file, and what is not there', async () => {
    await expect(files.open({ filters: [], sizeBytesMax: 3 })).rejects.toMatchObject({
      code: 'fileFailed',
    })
    chosen = directory
    await expect(files.open({ filters: [], sizeBytesMax: 3 })).rejects.toMatchObject({
      code: 'fileFailed',
    })
    chosen = undefined
    expect(await files.open({ filters: [], sizeBytesMax: 3 })).toEqual({ kind: 'cancelled' })
  })
})
