/**
 * Writers and watchers that use everything at once, and what happens to a cluster meanwhile: each node restarted in turn, a
 * disk lost and its member replaced, snapshots that travel between ours and the real etcd. Judges of the whole history say
 * whether any client was ever told anything wrong.
 *
 * `QUORATE_SOAK_ROUNDS` repeats the faults for longer runs; `QUORATE_SEED` chooses the load.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { StoreModel } from '../simulation/harness/store-model.ts'
import { etcdctl } from '../helpers/etcdctl.ts'
import { historyText } from '../helpers/judges/client-history.ts'
import { MixedLoad, untilDefined } from '../helpers/judges/mixed-load.ts'
import { judgeHistory } from '../helpers/judges/revision-judge.ts'
import { judgeWatchRecords } from '../helpers/judges/watch-judge.ts'
import { plainRange } from '../helpers/judges/wire-answers.ts'
import { newerEtcd } from '../helpers/newer-etcd.ts'
import { QuoratedCluster, QuoratedMember, quoratedProgram, readyLine } from '../helpers/quorated.ts'
import { freePorts } from '../helpers/real-etcd.ts'
import { RpcClient } from '../helpers/rpc-client.ts'
import { ServerProcess } from '../helpers/server-process.ts'

const roundCount = Number(process.env['QUORATE_SOAK_ROUNDS'] ?? '1')
const seed = Number(process.env['QUORATE_SEED'] ?? '1')
/** Connections count once they have held for so long, and a removal must leave a quorum of those that count. */
const connectionMs = 5_500

let cluster: QuoratedCluster | undefined
let load: MixedLoad | undefined
let replacements: QuoratedMember[] = []
let folder: string | undefined
let server: ServerProcess | undefined

afterEach(async () => {
  load?.dispose()
  await Promise.all(replacements.map((member) => member.kill()))
  await cluster?.dispose()
  await server?.kill()
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
  load = cluster = folder = server = undefined
  replacements = []
})

/** Judges all that the clients saw. */
function judge({ history }: MixedLoad): StoreModel {
  const violations: string[] = []
  const report = (checker: string, message: string): void => {
    violations.push(`${checker}: ${message}`)
  }
  const model = judgeHistory(history, report)
  judgeWatchRecords(history, model, report)
  if (violations.length > 0) {
    const file = join(tmpdir(), `quorate-history-${process.pid}-${Date.now()}.json`)
    writeFileSync(file, historyText(history))
    violations.unshift(`the history is in ${file}`)
  }
  expect(violations.slice(0, 10)).toEqual([])
  const streams = history.watches.flatMap((watch) => watch.streams)
  const events = streams.flatMap(({ messages }) => messages).flatMap(({ events }) => events)
  const unknown = history.operations.filter(({ outcome }) => outcome.kind === 'unknown')
  process.stdout.write(
    `${history.operations.length} operations, ${unknown.length} of unknown outcome, ${model.revision} revisions, ${events.length} events on ${streams.length} watch streams\n`,
  )
  return model
}

async function replace(
  lost: QuoratedMember,
  others: readonly QuoratedMember[],
): Promise<QuoratedMember> {
  const client = new RpcClient(others[0]!.clientUrl)
  try {
    await lost.kill()
    rmSync(lost.dataDirectory, { recursive: true })
    const { members } = await client.must('memberList')
    const { ID } = members.find(({ peerURLs }) => peerURLs.includes(lost.peerUrl))!
    await untilDefined('the removal', async () => {
      const { code } = await client.call('memberRemove', { ID })
      return code === 0 || code === 5 ? code : undefined
    })
    await untilDefined('the addition', async () => {
      const { code } = await client.call('memberAdd', { peerURLs: [lost.peerUrl] })
      return code === 0 || code === 9 ? code : undefined
    })
  } finally {
    client.close()
  }
  const names = [...others, lost].map(({ name, peerUrl }) => `${name}=${peerUrl}`)
  const replacement = new QuoratedMember(lost, [
    `--initial-cluster=${names.join()}`,
    '--initial-cluster-state=existing',
  ])
  replacements.push(replacement)
  await replacement.start()
  return replacement
}

describe('three nodes under load', () => {
  test(
    'tell nobody anything wrong while each is restarted, and while one loses its disk and is replaced',
    async () => {
      cluster = await QuoratedCluster.start(3, ['--snapshot-count=500'])
      load = new MixedLoad({ urls: cluster.clientUrls, writerCount: 8, seed })
      const members = [...cluster.members]
      for (let round = 0; round < roundCount; round++) {
        for (const member of members) {
          await load.waitForMore(100)
          load.watch(
            { startKey: 'k', rangeEnd: 'l', startRevision: Math.max(1, load.newestRevision - 300) },
            { startKey: 'own/', rangeEnd: 'own0', startRevision: 0, hasPrevious: true },
          )
          await member.stop()
          await load.waitForMore(100)
          await member.start()
          await load.waitForMore(100)
          await member.kill()
          await load.waitForMore(100)
          await member.start()
        }
        await new Promise((resolve) => setTimeout(resolve, connectionMs))
        const position = round % members.length
        const lost = members[position]!
        members[position] = await replace(
          lost,
          members.filter((member) => member !== lost),
        )
        await load.waitForMore(200)
      }
      await load.stop()
      const model = judge(load)
      expect(load.acknowledgedCount).toBeGreaterThan(1_000)
      for (const { clientUrl } of members) await expectHistory(clientUrl, model.revision, model)
    },
    60_000 * (roundCount + 1),
  )
})

/** What a server holds at a revision and at those before it is what the model has there. */
async function expectHistory(url: string, revision: number, model: StoreModel): Promise<void> {
  const client = new RpcClient(url)
  const all = { key: Buffer.from('\0'), rangeEnd: Buffer.from('\0') }
  const bounds = { start: '\0', end: undefined, isUnbounded: true }
  try {
    for (let past = revision; past > Math.max(1, revision - 20); past--) {
      const answer = await client.must('range', { ...all, revision: BigInt(past) })
      expect(plainRange(answer).pairs).toEqual(model.pairsAt(bounds, past))
    }
  } finally {
    client.close()
  }
}

interface Software {
  readonly name: string
  readonly program: () => string
  /** What restores snapshots. */
  readonly tool: () => string
}

const ours: Software = {
  name: 'ours',
  program: () => quoratedProgram,
  tool: () => quoratedProgram,
}
const theirs: Software = {
  name: 'the real etcd',
  program: newerEtcd,
  tool: () => join(dirname(newerEtcd()), 'etcdutl'),
}

async function startAlone(software: Software, directory: string): Promise<string> {
  const [clientPort, peerPort] = await freePorts(2)
  const clientUrl = `http://127.0.0.1:${String(clientPort)}`
  const peerUrl = `http://127.0.0.1:${String(peerPort)}`
  server = new ServerProcess(software.program(), {
    args: [
      '--name=default',
      `--data-dir=${directory}`,
      `--listen-client-urls=${clientUrl}`,
      `--advertise-client-urls=${clientUrl}`,
      `--listen-peer-urls=${peerUrl}`,
      `--initial-advertise-peer-urls=${peerUrl}`,
      `--initial-cluster=default=${peerUrl}`,
    ],
  })
  await server.waitForLine(readyLine)
  return clientUrl
}

describe.each([
  { source: ours, target: theirs },
  { source: theirs, target: ours },
])('a snapshot taken from $source.name under load', ({ source, target }) => {
  test(`is a prefix of the history when it is restored into ${target.name}`, async () => {
    folder = mkdtempSync(join(tmpdir(), 'snapshot-load-'))
    const url = await startAlone(source, join(folder, 'source'))
    load = new MixedLoad({ urls: [url], writerCount: 8, seed })
    await load.waitForMore(600)
    const before = load.newestRevision
    const file = join(folder, 'saved.db')
    const saved = await etcdctl(['snapshot', 'save', file], { endpoints: new URL(url).host })
    expect(saved).toMatchObject({ code: 0 })
    await load.waitForMore(300)
    await load.stop()
    const model = judge(load)
    await server?.kill()

    const directory = join(folder, 'restored')
    const status = runTool(target, ['snapshot', 'status', file, '--write-out=json'])
    const { revision } = JSON.parse(status) as { revision: number }
    expect(revision).toBeGreaterThanOrEqual(before)
    expect(revision).toBeLessThan(model.revision)
    runTool(target, ['snapshot', 'restore', file, `--data-dir=${directory}`])
    await expectHistory(await startAlone(target, directory), revision, model)
  })
})

function runTool(software: Software, words: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(software.tool(), words, { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
  return stdout
}
