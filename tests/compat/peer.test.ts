/** A real etcd takes our transport for a member: it dials us, we dial it, it elects itself and replicates to us. */
import { mkdtempSync, rmSync } from 'node:fs'
import { get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clusterId, nodeId, type NodeId } from '../../src/core/base/ids.ts'
import { silentLogger } from '../../src/core/base/logger.ts'
import { systemClock } from '../../src/core/io/system-clock.ts'
import { HttpPeerTransport } from '../../src/core/peer/http-peer-transport.ts'
import type { PeerTransportHost } from '../../src/core/peer/peer-transport.ts'
import type { Entry, Message } from '../../src/core/raft/message.ts'
import { freePorts } from '../helpers/real-etcd.ts'
import { ServerProcess } from '../helpers/server-process.ts'

/** A follower that says yes to everything: just enough for a leader to commit. */
class AgreeableFollower implements PeerTransportHost {
  readonly log = new Map<number, Entry>()
  readonly kinds = new Map<string, number>()
  transport: HttpPeerTransport | undefined
  selfRemovedCount = 0
  unreachableCount = 0

  receive(message: Message): void {
    this.kinds.set(message.kind, (this.kinds.get(message.kind) ?? 0) + 1)
    const answer = this.answer(message)
    if (answer !== undefined) this.transport!.send([answer])
  }

  receiveSnapshot(): Promise<void> {
    return Promise.reject(new Error('no snapshot was expected'))
  }

  reportUnreachable(): void {
    this.unreachableCount++
  }

  reportSnapshot(): void {
    return
  }

  isRemoved(): boolean {
    return false
  }

  reportSelfRemoved(): void {
    this.selfRemovedCount++
  }

  private answer(message: Message): Message | undefined {
    const envelope = { from: message.to, to: message.from, term: message.term }
    switch (message.kind) {
      case 'vote':
        return { ...envelope, kind: 'voteResponse', isRejected: false }
      case 'preVote':
        return { ...envelope, kind: 'preVoteResponse', isRejected: false }
      case 'heartbeat':
        return { ...envelope, kind: 'heartbeatResponse', context: message.context }
      case 'append': {
        const knows = message.previousIndex === 0 || this.log.has(message.previousIndex)
        for (const entry of knows ? message.entries : []) this.log.set(entry.index, entry)
        const index = knows ? message.previousIndex + message.entries.length : message.previousIndex
        const rejectHint = knows ? 0 : this.log.size
        return {
          ...envelope,
          kind: 'appendResponse',
          index,
          isRejected: !knows,
          rejectHint,
          hintTerm: 0,
        }
      }
      default:
        return undefined
    }
  }
}

let folder = ''
let etcd: ServerProcess
let clientUrl = ''
let etcdPeerUrl = ''
let ourUrl = ''
let ourId: NodeId
let etcdId: NodeId
let cluster: bigint

function asked(url: string): Promise<{ text: string; cluster: string }> {
  return new Promise((resolve, reject) => {
    get(url, (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => (text += chunk.toString()))
      response.on('end', () => {
        resolve({ text, cluster: String(response.headers['x-etcd-cluster-id']) })
      })
    }).on('error', reject)
  })
}

async function eventually<Value>(
  what: string,
  probe: () => Promise<Value | undefined> | Value | undefined,
): Promise<Value> {
  const endsAtMs = performance.now() + 20_000
  for (;;) {
    const value = await Promise.resolve(probe()).catch(() => undefined)
    if (value !== undefined) return value
    if (performance.now() > endsAtMs)
      throw new Error(`waited in vain: ${what}\n${etcd.lines.slice(-20).join('\n')}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'peer-compat-'))
  const [clientPort = 0, peerPort = 0, ourPort = 0] = await freePorts(3)
  clientUrl = `http://127.0.0.1:${clientPort}`
  etcdPeerUrl = `http://127.0.0.1:${peerPort}`
  ourUrl = `http://127.0.0.1:${ourPort}`
  etcd = new ServerProcess('etcd', {
    args: [
      '--name=theirs',
      `--data-dir=${folder}`,
      `--listen-client-urls=${clientUrl}`,
      `--advertise-client-urls=${clientUrl}`,
      `--listen-peer-urls=${etcdPeerUrl}`,
      `--initial-advertise-peer-urls=${etcdPeerUrl}`,
      `--initial-cluster=theirs=${etcdPeerUrl},ours=${ourUrl}`,
    ],
  })
  const members = await eventually('etcd tells its members', async () => {
    const answer = await asked(`${etcdPeerUrl}/members`)
    return answer.text.includes(ourUrl) ? answer : undefined
  })
  cluster = BigInt(`0x${members.cluster}`)
  const idOf = (url: string): NodeId => {
    const match = new RegExp(`"id":(\\d+),"peerURLs":\\["${url}"\\]`).exec(members.text)
    return nodeId(BigInt(match![1]!))
  }
  ourId = idOf(ourUrl)
  etcdId = idOf(etcdPeerUrl)
})

afterAll(async () => {
  await etcd.kill()
  rmSync(folder, { recursive: true, force: true })
})

async function startFollower(serverVersion: string): Promise<AgreeableFollower> {
  const host = new AgreeableFollower()
  host.transport = new HttpPeerTransport(
    { clock: systemClock, logger: silentLogger },
    {
      nodeId: ourId,
      clusterId: clusterId(cluster),
      listenUrls: [ourUrl],
      advertisedUrls: [ourUrl],
      serverVersion,
      membersAnswer: () => [],
      versionAnswer: () => ({ etcdserver: serverVersion, etcdcluster: '3.4.0' }),
    },
  )
  await host.transport.start(host)
  host.transport.addPeer({ id: etcdId, peerUrls: [etcdPeerUrl] })
  return host
}

describe('a real etcd', () => {
  test.each(['3.7.1', '3.4.23'])(
    'elects itself with our vote and replicates to us as version %s',
    async (version) => {
      const host = await startFollower(version)
      await eventually('etcd is healthy', async () => {
        const answer = await asked(`${clientUrl}/health`)
        return answer.text.includes('true') ? true : undefined
      })
      for (let at = 0; at < 100; at++) {
        const body = JSON.stringify({
          key: Buffer.from(`${version}-${at}`).toString('base64'),
          value: 'YWJj',
        })
        const response = await fetch(`${clientUrl}/v3/kv/put`, { method: 'POST', body })
        expect(response.status).toBe(200)
      }
      const texts = [...host.log.values()].map((entry) =>
        Buffer.from(entry.data).toString('latin1'),
      )
      for (let at = 0; at < 100; at++)
        expect(texts.some((text) => text.includes(`${version}-${at}`))).toBe(true)
      expect([...host.log.keys()].sort((left, right) => left - right)).toEqual(
        [...host.log.keys()].map((_, at) => at + 1),
      )
      expect(host.transport!.activeSinceMs(etcdId)).toBeGreaterThan(0)
      expect(host.kinds.get('heartbeat')).toBeGreaterThan(0)
      expect(host.selfRemovedCount).toBe(0)
      await host.transport!.stop()
    },
  )

  test('learns through the streams that both sides opened, not only through single requests', async () => {
    const host = await startFollower('3.4.23')
    await eventually('both hear each other', () => (host.kinds.has('heartbeat') ? true : undefined))
    const unreachableCount = host.unreachableCount
    const active = await eventually('etcd finds us active', () =>
      etcd.lines.some(
        (line) =>
          line.includes('established a TCP streaming connection with peer') &&
          line.includes('MsgApp v2') &&
          line.includes('writer'),
      )
        ? true
        : undefined,
    )
    expect(active).toBe(true)
    await new Promise((resolve) => setTimeout(resolve, 6_500))
    // Longer than the read timeout of both sides: signs of life arrive on both.
    expect(host.unreachableCount).toBe(unreachableCount)
    expect(host.transport!.roundTripMs(etcdId)).toBeGreaterThan(0)
    await host.transport!.stop()
  })
})
