/**
 * The local cluster: starts, watches and ends its nodes, each a process of its own.
 *
 * The app gets no private way to the data of its nodes; it connects to them as to any cluster. A cluster of each size has a
 * folder of its own, so that asking for five nodes never touches the data of three.
 */

import { join } from 'node:path'
import type { Clock } from '../../core/base/clock.ts'
import type { Logger } from '../../core/base/logger.ts'
import type { NodeItem, NodeLogLine, PlaygroundInfo } from '../../preload/contract/node.ts'
import { HostError } from '../host-error.ts'
import { NodeProcess, type ForkNode } from './node-process.ts'
import { clientUrlOf, loadOrCreatePlayground, nodeFlags } from './playground-file.ts'

/** Lines of all nodes together that are kept for pages that open later. */
const logLinesKeptMax = 2_000

export interface StoreHostOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly fork: ForkNode
  /** Holds a folder for each local cluster. */
  readonly directory: string
  /** Opens the connection to the cluster and returns its id. */
  connect(endpoints: readonly string[]): string
  /** A node came or went, so the connection should look again. */
  onNodesChanged(): void
}

export class StoreHost {
  private readonly options: StoreHostOptions
  private readonly listeners = new Set<(item: NodeItem) => void>()
  private nodes: readonly NodeProcess[] = []
  private connectionId: string | undefined
  private logLines: NodeLogLine[] = []
  /** Starts of clusters run one after the other. */
  private lastStart: Promise<unknown> = Promise.resolve()

  constructor(options: StoreHostOptions) {
    this.options = options
  }

  info(): PlaygroundInfo {
    return {
      ...(this.connectionId === undefined ? {} : { connectionId: this.connectionId }),
      nodes: this.nodes.map((node) => node.info()),
    }
  }

  logTail(): readonly NodeLogLine[] {
    return this.logLines
  }

  onItem(listener: (item: NodeItem) => void): () => void {
    this.listeners.add(listener)
    return () => {
      this.listeners.delete(listener)
    }
  }

  /** Starts the cluster of this size, after stopping one of another size. Nodes that run already go on. */
  startPlayground(size: number): Promise<PlaygroundInfo> {
    const start = this.lastStart.then(() => this.startCluster(size))
    this.lastStart = start.catch((error: unknown) => {
      this.options.logger.error('the local cluster could not be started', { error: String(error) })
    })
    return start
  }

  /** @throws HostError `unknownNode`, or `nodeState` when it runs already */
  start(name: string): PlaygroundInfo {
    this.nodeNamed(name).start()
    return this.info()
  }

  async stop(name: string): Promise<PlaygroundInfo> {
    await this.nodeNamed(name).stop()
    return this.info()
  }

  async kill(name: string): Promise<PlaygroundInfo> {
    await this.nodeNamed(name).kill()
    return this.info()
  }

  async restart(name: string): Promise<PlaygroundInfo> {
    const node = this.nodeNamed(name)
    await node.stop()
    node.start()
    return this.info()
  }

  /** Ends all nodes in good order. */
  async stopAll(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()))
  }

  private async startCluster(size: number): Promise<PlaygroundInfo> {
    const { clock, fork, logger } = this.options
    if (this.nodes.length !== size) {
      await this.stopAll()
      const directory = join(this.options.directory, `${String(size)}-nodes`)
      const playground = await loadOrCreatePlayground(directory, size, logger)
      const listener = {
        onChange: (): void => {
          this.onNodeChange()
        },
        onLog: (line: NodeLogLine): void => {
          this.onLog(line)
        },
      }
      this.nodes = playground.nodes.map(
        (node) =>
          new NodeProcess({ clock, fork, listener }, node, nodeFlags(directory, playground, node)),
      )
      this.connectionId = undefined
    }
    for (const node of this.nodes) if (!node.isAlive()) node.start()
    this.connectionId ??= this.options.connect(this.nodes.map((node) => clientUrlOf(node.node)))
    this.onNodeChange()
    return this.info()
  }

  private nodeNamed(name: string): NodeProcess {
    const node = this.nodes.find((candidate) => candidate.node.name === name)
    if (node === undefined) throw new HostError('unknownNode', `There is no node ${name}`)
    return node
  }

  private onNodeChange(): void {
    this.options.onNodesChanged()
    const item: NodeItem = { kind: 'changed', playground: this.info() }
    for (const listener of this.listeners) listener(item)
  }

  private onLog(line: NodeLogLine): void {
    this.logLines.push(line)
    if (this.logLines.length > logLinesKeptMax * 2) {
      this.logLines = this.logLines.slice(-logLinesKeptMax)
    }
    for (const listener of this.listeners) listener({ kind: 'log', line })
  }
}
