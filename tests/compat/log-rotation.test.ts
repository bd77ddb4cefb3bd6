/** A real etcd and our node are told to put their log files aside: what they refuse, and what is there afterwards. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expectAlike } from '../helpers/comparisons.ts'
import { newerEtcd } from '../helpers/newer-etcd.ts'
import { quoratedProgram, readyLine } from '../helpers/quorated.ts'
import { freePorts } from '../helpers/real-etcd.ts'
import { ServerProcess } from '../helpers/server-process.ts'

const programs = { etcd: newerEtcd(), quorate: quoratedProgram }
type Kind = keyof typeof programs

let folder: string
let ports: readonly number[]

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'log-rotation-'))
  ports = await freePorts(4)
})

afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

function start(kind: Kind, flags: readonly string[]): ServerProcess {
  const [clientPort, peerPort] = ports.slice(kind === 'etcd' ? 0 : 2)
  const peerUrl = `http://127.0.0.1:${peerPort ?? 0}`
  const clientUrl = `http://127.0.0.1:${clientPort ?? 0}`
  return new ServerProcess(programs[kind], {
    args: [
      ...['--name=node1', `--data-dir=${join(folder, kind, 'data')}`],
      ...[`--listen-client-urls=${clientUrl}`, `--advertise-client-urls=${clientUrl}`],
      ...[`--listen-peer-urls=${peerUrl}`, `--initial-advertise-peer-urls=${peerUrl}`],
      ...[`--initial-cluster=node1=${peerUrl}`, '--enable-log-rotation', ...flags],
    ],
  })
}

async function both<Answer>(ask: (kind: Kind) => Promise<Answer>): Promise<Record<Kind, Answer>> {
  return { etcd: await ask('etcd'), quorate: await ask('quorate') }
}

describe('refused', () => {
  const file = '--log-outputs=never.log'
  test.each<[string, readonly string[]]>([
    ['no output named', []],
    ['no file', ['--log-outputs=stderr']],
    ['two files', ['--log-outputs=never.log,never-either.log']],
    ['no JSON', [file, '--log-rotation-config-json=nonsense']],
    ['nothing', [file, '--log-rotation-config-json=']],
    ['text for a number', [file, '--log-rotation-config-json={"maxsize":"1"}']],
    ['a number for a truth', [file, '--log-rotation-config-json={"compress":1}']],
    ['a broken number', [file, '--log-rotation-config-json={"maxage":1.5}']],
    ['a list', [file, '--log-rotation-config-json=[]']],
  ])('%s', async (_name, flags) => {
    const answers = await both(async (kind) => {
      const server = start(kind, flags)
      const { code } = await server.exited
      const line = server.lines.find((text) => text.includes('failed to verify flags')) ?? '{}'
      const { error = '' } = JSON.parse(line) as { error?: string }
      // What is wrong with the text is told in the parser's own words.
      return { code, error: error.replace(/(formatted log rotation config: ).*/, '$1') }
    })
    expect(answers.quorate.error).not.toBe('')
    expectAlike('log rotation', answers)
  })
})

test('a file that was nearly full is put aside and compressed, the oldest one is removed', async () => {
  const before = `${'x'.repeat(99)}\n`.repeat(10_480)
  const answers = await both(async (kind) => {
    const logs = mkdtempSync(join(folder, 'logs-'))
    const log = join(logs, 'store.log')
    writeFileSync(log, before)
    for (const year of [2020, 2021])
      writeFileSync(join(logs, `store-${year}-01-01T00-00-00.000.log`), 'o')
    const rotation = '{"maxsize": 1, "maxbackups": 2, "compress": true}'
    const server = start(kind, [`--log-outputs=${log}`, `--log-rotation-config-json=${rotation}`])
    const names = (): string[] => readdirSync(logs).sort()
    await expect
      .poll(() => names().filter((name) => name.endsWith('.log.gz')).length, { timeout: 60_000 })
      .toBe(2)
    await expect.poll(() => readFileSync(log, 'utf8'), { timeout: 60_000 }).toContain(readyLine)
    await expect.poll(() => names().length, { timeout: 60_000 }).toBe(3)
    await server.kill()
    const aside = names()
      .filter((name) => !name.includes('2021'))
      .find((name) => name.endsWith('.gz'))
    const text = gunzipSync(readFileSync(join(logs, aside ?? '')))
    return {
      names: names().map((name) =>
        name.replace(/20(?!21)\d\d-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}/, 'TIME'),
      ),
      keepsAll: text.toString().startsWith(before),
    }
  })
  expectAlike('log rotation', answers)
}, 120_000)
