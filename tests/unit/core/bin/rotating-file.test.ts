import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { UsageError } from '../../../../src/core/bin/flags.ts'
import { logRotationOf } from '../../../../src/core/bin/log-rotation-config.ts'
import { RotatingFile, type LogRotation } from '../../../../src/core/bin/rotating-file.ts'
import { ManualClock } from '../../../helpers/manual-clock.ts'

const plain: LogRotation = {
  sizeBytesMax: 20,
  ageDaysMax: 0,
  backupCountMax: 0,
  isLocalTime: false,
  isCompressed: false,
}

let folder: string
let problems: string[]

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rotating-file-'))
  problems = []
})

afterEach(() => {
  chmodSync(folder, 0o700)
  rmSync(folder, { recursive: true })
})

/** It is 22:13:21 on the 14th of November 2023. */
function open(rotation: Partial<LogRotation> = {}): RotatingFile {
  const clock = new ManualClock()
  return new RotatingFile(join(folder, 'node.log'), {
    rotation: { ...plain, ...rotation },
    clock,
    report: (problem) => problems.push(problem),
  })
}

const files = (): string[] => readdirSync(folder).sort()
const content = (name: string): string => {
  const bytes = readFileSync(join(folder, name))
  return (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString()
}

describe('RotatingFile', () => {
  test('a file that would become too large is put aside under the time, and no line is lost', () => {
    const file = open()
    for (const letter of 'abcdef') file.write(`${letter.repeat(7)}\n`)
    expect(files()).toEqual([
      'node-2023-11-14T22-13-21.000.log',
      'node-2023-11-14T22-13-21.001.log',
      'node.log',
    ])
    expect(files().map(content).join('')).toBe(
      'aaaaaaa\nbbbbbbb\nccccccc\nddddddd\neeeeeee\nfffffff\n',
    )
  })

  test('a line that is larger than a file may be has a file for itself', () => {
    const file = open()
    for (const line of ['a\n', `${'b'.repeat(50)}\n`, 'c\n']) file.write(line)
    expect(files().map(content)).toEqual(['a\n', `${'b'.repeat(50)}\n`, 'c\n'])
  })

  test('what a former process wrote counts', () => {
    open().write('aaaaaaaaaaaaa\n')
    open().write('bbbbbbbbbbbbb\n')
    expect(files().map(content)).toEqual(['aaaaaaaaaaaaa\n', 'bbbbbbbbbbbbb\n'])
  })

  test('the newest are kept and compressed, and other files left alone', async () => {
    writeFileSync(join(folder, 'node-2022-01-01T00-00-00.000.log'), 'old')
    writeFileSync(join(folder, 'node-2022-01-02T00-00-00.000.log.gz'), 'less old')
    for (const name of ['node-other.log', 'other-2022-01-01T00-00-00.000.log'])
      writeFileSync(join(folder, name), 'not ours')
    const file = open({ backupCountMax: 2, isCompressed: true })
    await file.settled()
    for (const letter of 'abcdef') file.write(`${letter.repeat(7)}\n`)
    await file.settled()
    expect(files()).toEqual([
      'node-2023-11-14T22-13-21.000.log.gz',
      'node-2023-11-14T22-13-21.001.log.gz',
      'node-other.log',
      'node.log',
      'other-2022-01-01T00-00-00.000.log',
    ])
    expect(content('node-2023-11-14T22-13-21.000.log.gz')).toBe('aaaaaaa\nbbbbbbb\n')
  })

  test('those are removed that are too old', async () => {
    for (const day of ['11', '12'])
      writeFileSync(join(folder, `node-2023-11-${day}T12-00-00.000.log`), day)
    const file = open({ ageDaysMax: 3 })
    await file.settled()
    expect(files()).toEqual(['node-2023-11-12T12-00-00.000.log', 'node.log'])
  })

  test('lines go on in the file there is when it cannot be put aside', () => {
    const file = open()
    file.write('aaaaaaaaaaaaaaaaa\n')
    chmodSync(folder, 0o500)
    file.write('bbbbbbbbbbbbbbbbb\n')
    file.write('ccccccccccccccccc\n')
    chmodSync(folder, 0o700)
    // Root may write everywhere.
    const isRoot = process.getuid?.() === 0
    expect(problems).toEqual(isRoot ? [] : ['cannot put the log file aside'])
    expect(files().map(content).join('')).toHaveLength(54)
  })
})

describe('logRotationOf', () => {
  test.each([
    ['{}', {}],
    ['null', {}],
    ['{"maxsize": 5, "unknown": 1, "maxage": null}', { sizeBytesMax: 5_242_880 }],
    [
      '{"MaxAge": 1, "maxbackups": 2, "localtime": true, "compress": true}',
      { ageDaysMax: 1, backupCountMax: 2, isLocalTime: true, isCompressed: true },
    ],
  ])('%s', (json, expected) => {
    const defaults = { ...plain, sizeBytesMax: 104_857_600 }
    expect(logRotationOf(json, ['a.log', 'stderr'])).toEqual({ ...defaults, ...expected })
  })

  test.each(['{"maxsize": -1}', '{"maxage": 1.5}', '{"compress": "yes"}', '[]', '"text"', 'x', ''])(
    '%s is refused',
    (json) => {
      expect(() => logRotationOf(json, ['a.log'])).toThrow(UsageError)
    },
  )
})
