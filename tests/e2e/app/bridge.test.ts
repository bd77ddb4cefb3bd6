import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { ClusterSnapshot } from '../../../src/preload/contract/cluster.ts'
import type { NodeInfo } from '../../../src/preload/contract/node.ts'
import { isRealEtcdInstalled, RealEtcdCluster } from '../../helpers/real-etcd.ts'
import { closeDisplay, launchApp, type LaunchedApp, type PageWindow } from './launch.ts'

declare const window: PageWindow

/** Asks in the page until the answer fits, or fails with the last answer. */
async function until<Answer>(
  ask: () => Promise<Answer>,
  isDone: (answer: Answer) => boolean,
  timeoutMs = 30_000,
): Promise<Answer> {
  const endsAtMs = Date.now() + timeoutMs
  for (;;) {
    const answer = await ask()
    if (isDone(answer)) return answer
    if (Date.now() > endsAtMs) {
      const text = JSON.stringify(answer, (_name, value: unknown) =>
        typeof value === 'bigint' ? value.toString(16) : value,
      )
      throw new Error(`not in time; the last answer was ${text}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

function listNodes({ page }: LaunchedApp): Promise<readonly NodeInfo[]> {
  return page.evaluate(async () => {
    const reply = await window.bridge.nodes.list()
    if (!reply.ok) throw new Error(reply.error.message)
    return reply.value.nodes
  })
}

function areRunning(count: number): (nodes: readonly NodeInfo[]) => boolean {
  return (nodes) => nodes.length === count && nodes.every((node) => node.state === 'running')
}

function initialConnectionId({ page }: LaunchedApp): Promise<string> {
  return page.evaluate(async () => {
    const reply = await window.bridge.app.info()
    if (!reply.ok) throw new Error(reply.error.message)
    return reply.value.initialConnectionId ?? ''
  })
}

function snapshot({ page }: LaunchedApp, connectionId: string): Promise<ClusterSnapshot> {
  return page.evaluate(async (id) => {
    const reply = await window.bridge.cluster.snapshot({ connectionId: id })
    if (!reply.ok) throw new Error(reply.error.message)
    return reply.value
  }, connectionId)
}

function put(
  { page }: LaunchedApp,
  request: { connectionId: string; key: string; value: string },
): Promise<string> {
  return page.evaluate(async ({ connectionId, key, value }) => {
    const encoder = new TextEncoder()
    const reply = await window.bridge.kv.put({
      connectionId,
      key: encoder.encode(key),
      value: encoder.encode(value),
    })
    return reply.ok ? reply.value.kind : `${reply.error.code}: ${reply.error.message}`
  }, request)
}

function keysWithPrefix(
  { page }: LaunchedApp,
  request: { connectionId: string; prefix: string },
): Promise<string[]> {
  return page.evaluate(async ({ connectionId, prefix }) => {
    const reply = await window.bridge.kv.range({
      connectionId,
      range: { kind: 'prefix', prefix: new TextEncoder().encode(prefix) },
      limit: 1_000,
      revision: 0,
      valueBytesMax: 0,
    })
    if (!reply.ok) throw new Error(reply.error.message)
    const { keyBytes, keyOffsets, rowCount } = reply.value.columns
    return Array.from({ length: rowCount }, (_, row) =>
      new TextDecoder().decode(keyBytes.subarray(keyOffsets[row], keyOffsets[row + 1])),
    )
  }, request)
}

let launched: LaunchedApp | undefined
afterEach(async () => {
  await launched?.close()
  launched = undefined
})
afterAll(closeDisplay)

/** Whether a process of this number exists. */
function isThere(processId: number): boolean {
  try {
    process.kill(processId, 0)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw error
  }
}

describe('the app on its local cluster', () => {
  test('the first start brings up three nodes, each a process, with one leader', async () => {
    launched = await launchApp()
    const nodes = await until(() => listNodes(launched!), areRunning(3))
    expect(new Set(nodes.map((node) => node.processId)).size).toBe(3)
    const connectionId = await initialConnectionId(launched)
    const state = await until(
      () => snapshot(launched!, connectionId),
      (answer) => answer.hasQuorum && answer.members.every((member) => member.role !== 'unknown'),
    )
    expect(state.members.map((member) => member.role).sort()).toEqual([
      'follower',
      'follower',
      'leader',
    ])
  })

  test('killing the leader lets another lead while reads and writes go on', async () => {
    launched = await launchApp({ flags: ['--playground=3'] })
    const app = launched
    await until(() => listNodes(app), areRunning(3))
    const connectionId = await initialConnectionId(app)
    expect(await put(app, { connectionId, key: '/a', value: '1' })).toBe('written')
    const before = await until(
      () => snapshot(app, connectionId),
      (answer) => answer.leaderId !== undefined,
    )
    const leader = before.members.find((member) => member.id === before.leaderId)!
    await app.page.evaluate(async (nodeName) => {
      const reply = await window.bridge.nodes.kill({ nodeName })
      if (!reply.ok) throw new Error(reply.error.message)
    }, leader.name)
    expect(await keysWithPrefix(app, { connectionId, prefix: '/' })).toEqual(['/a'])
    expect(await put(app, { connectionId, key: '/b', value: '2' })).toBe('written')
    const after = await until(
      () => snapshot(app, connectionId),
      (answer) => answer.leaderId !== undefined && answer.leaderId !== before.leaderId,
    )
    expect(after.term).toBeGreaterThan(before.term)
    const nodes = await listNodes(app)
    expect(nodes.find((node) => node.name === leader.name)?.state).toBe('killed')
    await app.page.evaluate(async (nodeName) => {
      await window.bridge.nodes.start({ nodeName })
    }, leader.name)
    await until(() => listNodes(app), areRunning(3))
  })

  test('keys are there again after quitting and starting anew', async () => {
    const first = await launchApp()
    launched = first
    await until(() => listNodes(first), areRunning(3))
    await put(first, { connectionId: 'playground', key: '/kept', value: 'x' })
    const processIds = (await listNodes(first)).map((node) => node.processId!)
    await first.close({ keepsFiles: true })
    // The app ends its nodes before itself; who collects an ended process may come a moment later.
    for (const processId of processIds) await expect.poll(() => isThere(processId)).toBe(false)
    launched = await launchApp({ userDataDirectory: first.userDataDirectory })
    const second = launched
    await until(() => listNodes(second), areRunning(3))
    expect(await keysWithPrefix(second, { connectionId: 'playground', prefix: '/' })).toEqual([
      '/kept',
    ])
  })

  test('a request out of shape is refused by main, not by the page', async () => {
    launched = await launchApp({ flags: ['--playground=1'] })
    const code = await launched.page.evaluate(async () => {
      const reply = await window.bridge.kv.get({ connectionId: 'playground' } as never)
      return reply.ok ? 'answered' : reply.error.code
    })
    expect(code).toBe('invalidRequest')
  })
})

describe.runIf(isRealEtcdInstalled())('the app on real etcd', () => {
  let cluster: RealEtcdCluster
  beforeAll(async () => {
    cluster = await RealEtcdCluster.start(1)
  })
  afterAll(() => {
    cluster.stop()
  })

  test('--connect opens it, and a watch of the page sees what the page writes', async () => {
    launched = await launchApp({ flags: [`--connect=${cluster.clientUrls.join(',')}`] })
    const connectionId = await initialConnectionId(launched)
    const seen = await launched.page.evaluate(async (id) => {
      const encoder = new TextEncoder()
      const prefix = { kind: 'prefix', prefix: encoder.encode('/w/') } as const
      const write = async (): Promise<void> => {
        const written = await window.bridge.kv.put({
          connectionId: id,
          key: encoder.encode('/w/1'),
          value: encoder.encode('x'),
        })
        if (!written.ok) throw new Error(`put: ${written.error.message}`)
        const deleted = await window.bridge.kv.deleteRange({ connectionId: id, range: prefix })
        if (!deleted.ok) throw new Error(`delete: ${deleted.error.message}`)
      }
      return new Promise<string[]>((resolve, reject) => {
        const lines: string[] = []
        // Says how far it came, instead of running into the limit of the whole test.
        setTimeout(() => {
          reject(new Error(`not in time; the watch delivered ${JSON.stringify(lines)}`))
        }, 60_000)
        const subscription = window.bridge.watch.open(
          {
            connectionId: id,
            range: prefix,
            startRevision: 0,
            hasPrevious: true,
            isWithoutPuts: false,
            isWithoutDeletes: false,
            valueBytesMax: 100,
          },
          (message) => {
            if (message.kind === 'ended') {
              reject(new Error(message.error?.message ?? 'ended'))
              return
            }
            for (const item of message.items) {
              if (item.kind === 'change') {
                lines.push(`${item.change.kind} ${new TextDecoder().decode(item.change.key)}`)
              } else {
                lines.push(item.kind)
              }
              if (item.kind === 'started') write().catch(reject)
              if (lines.length === 3) {
                subscription.close()
                resolve(lines)
              }
            }
          },
        )
      })
    }, connectionId)
    expect(seen).toEqual(['started', 'put /w/1', 'delete /w/1'])
    expect(await listNodes(launched)).toEqual([])
  })
})

describe('a page that is loaded anew', () => {
  test('finds its streams free, and those of the page before are closed', async () => {
    launched = await launchApp({ flags: ['--playground=1'] })
    const app = launched
    await until(() => listNodes(app), areRunning(1))
    const firstItem = (): Promise<string> =>
      app.page.evaluate(
        () =>
          new Promise<string>((resolve) => {
            window.bridge.cluster.observe(
              { connectionId: 'playground', intervalMs: 250 },
              (message) => {
                resolve(
                  message.kind === 'batch' ? 'delivered' : (message.error?.message ?? 'ended'),
                )
              },
            )
          }),
      )
    expect(await firstItem()).toBe('delivered')
    await app.page.reload()
    expect(await firstItem()).toBe('delivered')
  })
})
