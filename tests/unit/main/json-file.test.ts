import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { silentLogger } from '../../../src/core/base/logger.ts'
import { appPathsIn } from '../../../src/main/app-paths.ts'
import { JsonFile } from '../../../src/main/json-file.ts'
import { SettingsStore } from '../../../src/main/settings-file.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'json-file-'))
})
afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

const schema = z.object({ count: z.number() })

describe('JsonFile', () => {
  test('what was saved last is loaded, and only the user may read it', async () => {
    const path = join(directory, 'deep', 'x.json')
    const file = new JsonFile(path, schema, silentLogger)
    await Promise.all([file.save({ count: 1 }), file.save({ count: 2 })])
    expect(new JsonFile(path, schema, silentLogger).load()).toEqual({ count: 2 })
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(existsSync(`${path}.new`)).toBe(false)
  })

  test.each([
    ['half a file', '{"count":'],
    ['another shape', '{"count":"one"}'],
  ])('%s is moved aside, not overwritten', (_what, content) => {
    const path = join(directory, 'x.json')
    writeFileSync(path, content)
    expect(new JsonFile(path, schema, silentLogger).load()).toBeUndefined()
    expect(readFileSync(`${path}.broken`, 'utf8')).toBe(content)
  })
})

describe('SettingsStore', () => {
  test('what is changed is kept, the rest has its default, and unknown fields survive', async () => {
    const paths = appPathsIn(directory)
    writeFileSync(
      paths.settingsFile,
      JSON.stringify({ schemaVersion: 1, settings: { theme: 'dark', fromTheFuture: 7 } }),
    )
    const settings = new SettingsStore(paths, silentLogger)
    await settings.update({ keySeparator: ':' })
    const again = new SettingsStore(paths, silentLogger)
    expect(again.get()).toMatchObject({ theme: 'dark', keySeparator: ':', pageRows: 1_000 })
    expect(readFileSync(paths.settingsFile, 'utf8')).toContain('"fromTheFuture": 7')
  })

  test('a state of the page comes back under its name', async () => {
    const paths = appPathsIn(directory)
    await new SettingsStore(paths, silentLogger).savePageState({ name: 'tabs', text: '[1]' })
    const again = new SettingsStore(paths, silentLogger)
    expect([again.findPageState('tabs'), again.findPageState('widths')]).toEqual(['[1]', null])
  })
})
