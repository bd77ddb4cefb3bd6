import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { silentLogger } from '../../../../src/core/base/logger.ts'
import type { NodeChildListener } from '../../../../src/main/store-host/node-process.ts'
import { StoreHost } from '../../../../src/main/store-host/store-host.ts'
import type { NodeItem } from '../../../../src/preload/contract/node.ts'
import { ManualClock } from '../../../helpers/manual-clock.ts'

/** A process that does what the test says. */
interface FakeChild {
  readonly name: string
  readonly flags: readonly string[]
  readonly listener: NodeChildListener
  readonly received: string[]
}

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'store-host-'))
})
afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

function makeHost(options: { readonly obeysStop?: boolean } = {}): {
  host: StoreHost
  clock: ManualClock
  children: FakeChild[]
  endpoints: string[][]
} {
  const children: FakeChild[] = []
  const endpoints: string[][] = []
  const clock = new ManualClock()
  const host = new StoreHost({
    clock,
    logger: silentLogger,
    directory,
    connect: (urls) => {
      endpoints.push([...urls])
      return 'playground'
    },
    onNodesChanged: () => undefined,
    fork: (name, flags, listener) => {
      const received: string[] = []
      children.push({ name, flags, listener, received })
      return {
        processId: 100 + children.length,
        send: (message) => {
          received.push(message.kind)
          if (options.obeysStop !== false) listener.onExit(0)
        },
        kill: () => {
          received.push('SIGKILL')
          listener.onExit(9)
        },
      }
    },
  })
  return { host, clock, children, endpoints }
}

const states = (host: StoreHost): string[] => host.info().nodes.map((node) => node.state)

describe('StoreHost', () => {
  test('a new cluster starts as many nodes as asked for, on ports of their own', async () => {
    const { host, children, endpoints } = makeHost()
    const info = await host.startPlayground(3)
    expect(states(host)).toEqual(['starting', 'starting', 'starting'])
    expect(new Set(info.nodes.flatMap((node) => [node.clientUrl, node.peerUrl])).size).toBe(6)
    expect(endpoints).toEqual([info.nodes.map((node) => node.clientUrl)])
    const clusterFlags = children.map((child) =>
      child.flags.find((flag) => flag.startsWith('--initial-cluster=')),
    )
    expect(new Set(clusterFlags).size).toBe(1)
    expect(clusterFlags[0]).toBe(
      `--initial-cluster=${info.nodes.map((node) => `${node.name}=${node.peerUrl}`).join(',')}`,
    )
  })

  test('a second start of the app finds the same names, ports and folders', async () => {
    const first = makeHost()
    await first.host.startPlayground(3)
    const second = makeHost()
    await second.host.startPlayground(3)
    expect(second.children.map((child) => child.flags)).toEqual(
      first.children.map((child) => child.flags),
    )
  })

  test('a cluster of another size has data of its own', async () => {
    const { host, children } = makeHost()
    await host.startPlayground(3)
    await host.startPlayground(1)
    const folders = children.map((child) =>
      child.flags.find((flag) => flag.startsWith('--data-dir')),
    )
    expect(new Set(folders).size).toBe(4)
    expect(states(host)).toEqual(['starting'])
  })

  test('a node runs once it says that it serves', async () => {
    const { host, children } = makeHost()
    await host.startPlayground(1)
    children[0]!.listener.onMessage({ kind: 'ready' })
    expect(states(host)).toEqual(['running'])
  })

  test('a node that ends by itself has failed, with its own reason', async () => {
    const { host, children } = makeHost()
    await host.startPlayground(1)
    children[0]!.listener.onMessage({ kind: 'failed', reason: 'the port is taken' })
    children[0]!.listener.onExit(1)
    expect(host.info().nodes[0]).toMatchObject({ state: 'failed', reason: 'the port is taken' })
    expect(host.info().nodes[0]!.processId).toBeUndefined()
  })

  test('kill is a kill, stop is a request, and both can be followed by a start', async () => {
    const { host, children } = makeHost()
    await host.startPlayground(3)
    await host.kill('node1')
    await host.stop('node2')
    expect(states(host)).toEqual(['killed', 'stopped', 'starting'])
    expect(children.map((child) => child.received)).toEqual([['SIGKILL'], ['stop'], []])
    host.start('node1')
    await host.restart('node3')
    expect(states(host)).toEqual(['starting', 'stopped', 'starting'])
    expect(host.info().nodes.map((node) => node.startCount)).toEqual([2, 1, 2])
  })

  test('a node that does not stop is killed after three seconds', async () => {
    const { host, clock, children } = makeHost({ obeysStop: false })
    await host.startPlayground(1)
    const stopped = host.stop('node1')
    clock.advance(2_999)
    expect(states(host)).toEqual(['stopping'])
    clock.advance(1)
    await stopped
    expect(children[0]!.received).toEqual(['stop', 'SIGKILL'])
    expect(states(host)).toEqual(['stopped'])
    expect(clock.waitingCount).toBe(0)
  })

  test('what a node cannot do now is refused with a sentence', async () => {
    const { host } = makeHost()
    await host.startPlayground(1)
    expect(() => host.start('node1')).toThrow('node1 is running already')
    expect(() => host.start('node9')).toThrow('There is no node node9')
    await host.kill('node1')
    await expect(host.kill('node1')).rejects.toThrow('node1 is not running')
  })

  test('observers hear of every change and every line', async () => {
    const { host, children } = makeHost()
    await host.startPlayground(1)
    const items: NodeItem[] = []
    const end = host.onItem((item) => items.push(item))
    children[0]!.listener.onMessage({
      kind: 'log',
      level: 'info',
      atMs: 5,
      message: 'hello',
      fieldsText: '',
    })
    children[0]!.listener.onMessage({ kind: 'ready' })
    end()
    await host.kill('node1')
    expect(items.map((item) => item.kind)).toEqual(['log', 'changed'])
    expect(host.logTail()).toEqual([
      { nodeName: 'node1', level: 'info', atMs: 5, message: 'hello', fieldsText: '' },
    ])
  })
})
