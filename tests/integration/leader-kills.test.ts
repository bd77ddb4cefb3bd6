/**
 * Three processes, a client that writes all the time, and SIGKILL for whoever leads, twenty times in a row. Nothing that
 * was acknowledged may be missing, and all nodes must hold the same revisions at the end.
 */
import { afterEach, describe, expect, test } from 'vitest'
import { Client } from '../../src/core/client/client.ts'
import { intervalOfPrefix } from '../../src/core/client/key-value.ts'
import { StoreError } from '../../src/core/errors/store-error.ts'
import { systemClock } from '../../src/core/io/system-clock.ts'
import { systemRandom } from '../../src/core/io/system-random.ts'
import { etcdctl } from '../helpers/etcdctl.ts'
import { QuoratedCluster, type QuoratedMember } from '../helpers/quorated.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (value: Uint8Array): string => new TextDecoder().decode(value)
const killCount = 20
/** A leader that sent a snapshot keeps the log behind it for so long (30 s), so that the receiver need not begin again. */
const logKeptMs = 31_000
const writerCount = 16
const patienceMs = 1_000

let cluster: QuoratedCluster | undefined
let client: Client | undefined

afterEach(async () => {
  client?.dispose()
  await cluster?.dispose()
  client = undefined
  cluster = undefined
})

/**
 * Writes new keys without end and remembers which were acknowledged. A write that is not answered soon does not keep the
 * next one waiting: those that a follower passed to a leader that died are only given up after seconds.
 */
class Writers {
  readonly acknowledged = new Map<string, string>()
  private readonly target: Client
  private readonly unanswered = new Set<Promise<void>>()
  private running: Promise<void>[] = []
  private isStopped = true
  private nextNumber = 0
  unknownCount = 0

  constructor(target: Client) {
    this.target = target
    this.start()
  }

  start(): void {
    this.isStopped = false
    this.running = Array.from({ length: writerCount }, () => this.write())
  }

  /** Resolves when all writes were answered. */
  async stop(): Promise<void> {
    this.isStopped = true
    await Promise.all(this.running)
    await Promise.all(this.unanswered)
  }

  private async write(): Promise<void> {
    while (!this.isStopped) {
      const writing = this.writeOne(this.nextNumber++)
      this.unanswered.add(writing)
      void writing.finally(() => this.unanswered.delete(writing))
      let timer: NodeJS.Timeout | undefined
      const patience = new Promise((resolve) => (timer = setTimeout(resolve, patienceMs)))
      await Promise.race([writing, patience])
      clearTimeout(timer)
    }
  }

  private async writeOne(number: number): Promise<void> {
    const [key, value] = [`written/${String(number).padStart(8, '0')}`, `value ${number}`]
    try {
      await this.target.kv.put(bytes(key), bytes(value))
      this.acknowledged.set(key, value)
    } catch (error) {
      // While nobody leads a write may fail, and whether it happened is unknown: nothing is claimed about it.
      if (!(error instanceof StoreError)) throw error
      this.unknownCount++
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}

interface Leadership {
  readonly member: QuoratedMember
  readonly term: number
}

/** Waits until the living members agree on a leader that is one of them, in a term above the given one. */
async function waitForLeader(
  living: readonly QuoratedMember[],
  options: { readonly aboveTerm: number },
): Promise<Leadership> {
  const endsAtMs = Date.now() + 60_000
  while (Date.now() < endsAtMs) {
    for (const member of living) {
      const probe = new Client({
        clock: systemClock,
        random: systemRandom,
        endpoints: [member.clientUrl],
      })
      const result = await probe.maintenance.status(probe.pool.active(), { timeoutMs: 2_000 })
      probe.dispose()
      if (!result.ok || result.status.term <= options.aboveTerm) continue
      if (result.status.leaderId === result.status.header.memberId) {
        return { member, term: result.status.term }
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`no leader above term ${options.aboveTerm} within 60 s`)
}

/** The hash over all revisions up to one, asked with etcd's own tool, which knows nothing of ours. */
async function hashOf(member: QuoratedMember, revision: number): Promise<string> {
  const words = ['endpoint', 'hashkv', `--rev=${revision}`, '--write-out=json']
  const { code, stdout, stderr } = await etcdctl(words, {
    endpoints: new URL(member.clientUrl).host,
  })
  if (code !== 0) return `refused: ${stderr}`
  const [answer] = JSON.parse(stdout) as [{ HashKV: { hash: number; compact_revision?: number } }]
  return `${answer.HashKV.hash} from ${answer.HashKV.compact_revision ?? 0}`
}

async function expectEqualHistories(
  members: readonly QuoratedMember[],
  target: Client,
): Promise<void> {
  const { header } = await target.kv.range({ start: bytes('written/') })
  const endsAtMs = Date.now() + 30_000
  let hashes: string[] = []
  while (Date.now() < endsAtMs) {
    hashes = await Promise.all(members.map((member) => hashOf(member, header.revision)))
    if (hashes.every((hash) => hash === hashes[0] && !hash.startsWith('refused'))) return
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  expect(hashes).toEqual(hashes.map(() => hashes[0]))
}

async function readAllOf(member: QuoratedMember): Promise<Map<string, string>> {
  const direct = new Client({
    clock: systemClock,
    random: systemRandom,
    endpoints: [member.clientUrl],
  })
  try {
    const { pairs } = await direct.kv.range(intervalOfPrefix(bytes('written/')), {
      isSerializable: true,
    })
    return new Map(pairs.map((pair) => [text(pair.key), text(pair.value)]))
  } finally {
    direct.dispose()
  }
}

function missingFrom(found: Map<string, string>, acknowledged: Map<string, string>): string[] {
  return [...acknowledged].filter(([key, value]) => found.get(key) !== value).map(([key]) => key)
}

describe('three store nodes', () => {
  test('lose no acknowledged write while the leader is killed twenty times, and one node falls behind the log', async () => {
    cluster = await QuoratedCluster.start(3, [
      '--snapshot-count=200',
      '--snapshot-catchup-entries=50',
    ])
    const { members } = cluster
    client = new Client({
      clock: systemClock,
      random: systemRandom,
      endpoints: cluster.clientUrls,
    })
    const writers = new Writers(client)
    let leadership = await waitForLeader(members, { aboveTerm: 0 })
    for (let kill = 0; kill < killCount; kill++) {
      const before = writers.acknowledged.size
      const { member, term } = leadership
      await member.kill()
      const survivors = members.filter((other) => other !== member)
      leadership = await waitForLeader(survivors, { aboveTerm: term })
      await waitUntil(() => writers.acknowledged.size > before + 20, 'writes go on')
      await member.start()
    }

    // A node that stays down until the log it needs has been cut off everywhere else. What sent a snapshot lately would
    // keep its log; a process that was started since then does not.
    const straggler = members.find((member) => member !== leadership.member)!
    const others = members.filter((member) => member !== straggler)
    await writers.stop()
    await expectEqualHistories(members, client)
    for (const member of others) {
      await member.kill()
      await member.start()
    }
    await straggler.kill()
    if (others.some((member) => hasLine(member, 'sent database snapshot'))) {
      await new Promise((resolve) => setTimeout(resolve, logKeptMs))
    }
    writers.start()
    const before = writers.acknowledged.size
    await waitUntil(() => writers.acknowledged.size > before + 800, 'eight hundred writes')
    await straggler.start()
    await straggler.process.waitForLine('applied snapshot', 60_000)
    await writers.stop()

    await expectEqualHistories(members, client)
    for (const member of members) {
      expect(missingFrom(await readAllOf(member), writers.acknowledged)).toEqual([])
    }
    process.stdout.write(
      `leader kills: ${killCount}, acknowledged writes: ${writers.acknowledged.size}, unknown: ${writers.unknownCount}\n`,
    )
  }, 600_000)
})

function hasLine(member: QuoratedMember, text: string): boolean {
  return member.process.lines.some((line) => line.includes(text))
}

async function waitUntil(condition: () => boolean, what: string): Promise<void> {
  const endsAtMs = Date.now() + 60_000
  while (!condition()) {
    if (Date.now() > endsAtMs) throw new Error(`not in time: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
