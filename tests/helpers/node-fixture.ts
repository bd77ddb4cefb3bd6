/** Whole nodes in one process for tests: real files, LMDB and clock, and a network of the test's choice. */
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Backend, BackendFactory } from '../../src/core/backend/backend.ts'
import { LmdbBackendFactory } from '../../src/core/backend/lmdb-backend-factory.ts'
import { silentLogger, type LogFields, type Logger } from '../../src/core/base/logger.ts'
import { lockDirectory } from '../../src/core/io/directory-lock.ts'
import { nodeFileSystem } from '../../src/core/io/node-file-system.ts'
import { systemClock } from '../../src/core/io/system-clock.ts'
import { systemRandom } from '../../src/core/io/system-random.ts'
import { nodeConfigDefaults, type NodeConfig } from '../../src/core/node/node-config.ts'
import type { NodeEnvironment } from '../../src/core/node/node-environment.ts'
import { noPlantedBugs } from '../../src/core/node/planted-bugs.ts'
import { StoreNode } from '../../src/core/node/store-node.ts'
import { LocalPeers } from './local-peers.ts'

/** Prints what the nodes log when QUORATE_TEST_LOG is set. */
const testLogger: Logger =
  process.env['QUORATE_TEST_LOG'] === undefined ? silentLogger : printing({})

function printing(common: LogFields): Logger {
  const line =
    (level: string) =>
    (message: string, fields?: LogFields): void => {
      process.stderr.write(
        `${level} ${message} ${JSON.stringify({ ...common, ...fields }, (_key, value: unknown) => (typeof value === 'bigint' ? value.toString(16) : value))}\n`,
      )
    }
  return {
    debug: () => undefined,
    info: line('info'),
    warn: line('warn'),
    error: line('error'),
    with: (fields) => printing({ ...common, ...fields }),
  }
}

/** Short times, small limits, so that a test sees elections and snapshots soon. */
export const quickTimes = { heartbeatMs: 20, electionMs: 200 } as const

/** A cluster whose nodes can be started, stopped and killed one by one. */
export class NodeFixture {
  readonly peers = new LocalPeers()
  readonly directory = mkdtempSync(join(tmpdir(), 'quorate-node-'))
  private readonly names: readonly string[]
  private readonly settings: Partial<NodeConfig>
  private readonly changes: Partial<NodeEnvironment>
  private readonly nodes = new Map<string, StoreNode>()
  private readonly openBackends = new Map<string, Set<Backend>>()
  private readonly locks = new Map<string, { release(): Promise<void> }>()

  /** @param changes  parts of the world that the test brings itself */
  constructor(
    memberCount: number,
    settings: Partial<NodeConfig> = {},
    changes: Partial<NodeEnvironment> = {},
  ) {
    this.changes = changes
    this.names = Array.from({ length: memberCount }, (_, position) => `node${position + 1}`)
    this.settings = settings
  }

  get running(): readonly StoreNode[] {
    return [...this.nodes.values()]
  }

  nameOf(node: StoreNode): string {
    for (const [name, candidate] of this.nodes) if (candidate === node) return name
    throw new Error('this node does not run here')
  }

  node(name: string): StoreNode {
    const node = this.nodes.get(name)
    if (node === undefined) throw new Error(`${name} does not run`)
    return node
  }

  configOf(name: string): NodeConfig {
    const urlOf = (member: string): string => `http://${member}:2380`
    return {
      ...nodeConfigDefaults,
      ...quickTimes,
      name,
      dataDirectory: join(this.directory, name),
      initialAdvertisePeerUrls: [urlOf(name)],
      advertiseClientUrls: [`http://${name}:2379`],
      initialCluster: new Map(this.names.map((member) => [member, [urlOf(member)]])),
      ...this.settings,
    }
  }

  async startAll(): Promise<void> {
    await Promise.all(this.names.map((name) => this.start(name)))
    await Promise.all(this.running.map((node) => node.ready))
  }

  async start(name: string, changes: Partial<NodeConfig> = {}): Promise<StoreNode> {
    const node = await StoreNode.start(this.environmentOf(name), {
      ...this.configOf(name),
      ...changes,
    })
    this.nodes.set(name, node)
    return node
  }

  async stop(name: string): Promise<void> {
    const node = this.node(name)
    this.nodes.delete(name)
    await node.stop()
  }

  /** Ends a node without a word to anybody; what LMDB had queued is written, which a killed process would not do. */
  async kill(name: string): Promise<void> {
    const node = this.node(name)
    this.nodes.delete(name)
    this.peers.detach(node.memberId)
    node.kill()
    for (const backend of this.openBackends.get(name) ?? []) await backend.close()
    this.openBackends.delete(name)
    await this.locks.get(name)?.release()
  }

  /** The node that leads and is known to do so by itself; waits for one. */
  async leader(): Promise<StoreNode> {
    return eventually('a leader', () =>
      this.running.find((node) => node.leaderId === node.memberId),
    )
  }

  async dispose(): Promise<void> {
    await Promise.all([...this.nodes.keys()].map((name) => this.stop(name)))
    rmSync(this.directory, { recursive: true, force: true })
  }

  private environmentOf(name: string): NodeEnvironment {
    return {
      clock: systemClock,
      random: systemRandom,
      logger: testLogger.with({ node: name }),
      fileSystem: nodeFileSystem,
      backendFactory: this.trackingFactory(name),
      createTransport: ({ memberId }) => this.peers.transportOf(memberId),
      askPeer: () => Promise.reject(new Error('no member can be asked')),
      fetchCluster: () => {
        const [node] = this.running
        if (node === undefined) return Promise.reject(new Error('nobody runs'))
        return node
          .listMembers({ isLinearizable: false })
          .then((members) => ({ clusterId: node.clusterId, members }))
      },
      sha1: (bytes) => createHash('sha1').update(bytes).digest(),
      lockDirectory: async (directory) => {
        const lock = await lockDirectory(directory)
        this.locks.set(name, lock)
        return lock
      },
      plantedBugs: noPlantedBugs,
      ...this.changes,
    }
  }

  /** Remembers open databases, because a killed node in this process cannot let go of them by dying. */
  private trackingFactory(name: string): BackendFactory {
    const factory = new LmdbBackendFactory({ clock: systemClock, logger: silentLogger })
    return {
      open: async (directory) => {
        const backend = await factory.open(directory)
        const open = this.openBackends.get(name) ?? new Set()
        open.add(backend)
        this.openBackends.set(name, open)
        const close = backend.close.bind(backend)
        backend.close = async () => {
          open.delete(backend)
          await close()
        }
        return backend
      },
      build: (directory, fill) => factory.build(directory, fill),
      replace: (directories) => factory.replace(directories),
      remove: (directory) => factory.remove(directory),
    }
  }
}

/** Looks again and again until something is there. */
export async function eventually<Value>(
  what: string,
  look: () => Value | undefined | Promise<Value | undefined>,
  limitMs = 15_000,
): Promise<Value> {
  const endMs = performance.now() + limitMs
  for (;;) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    if (performance.now() > endMs) throw new Error(`waited ${limitMs} ms in vain for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** Bytes of a text. */
export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

/** Text of bytes. */
export function text(value: Uint8Array): string {
  return new TextDecoder().decode(value)
}
