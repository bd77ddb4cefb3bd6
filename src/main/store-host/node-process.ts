/** One local node: its process, its state, and the ways to end it. */

import type { Clock, Timer } from '../../core/base/clock.ts'
import type { NodeInfo, NodeLogLine, NodeStateKind } from '../../preload/contract/node.ts'
import { HostError } from '../host-error.ts'
import type { HostMessage, NodeMessage } from './host-protocol.ts'
import { clientUrlOf, peerUrlOf, type PlaygroundNode } from './playground-file.ts'

/** A node that was asked to stop and has not after this long is killed. */
const stopTimeoutMs = 3_000

/** A process as the host sees it; Electron's utility process, or a simulated one in tests. */
export interface NodeChild {
  readonly processId: number | undefined
  send(message: HostMessage): void
  /** The hard way, which the process cannot notice. */
  kill(): void
}

/** What happens to a process. `onExit` comes once, last. */
export interface NodeChildListener {
  onMessage(message: NodeMessage): void
  onExit(exitCode: number): void
}

/** Starts the process of a node with these flags. */
export type ForkNode = (
  name: string,
  flags: readonly string[],
  listener: NodeChildListener,
) => NodeChild

export interface NodeProcessListener {
  onChange(): void
  onLog(line: NodeLogLine): void
}

export class NodeProcess {
  readonly node: PlaygroundNode
  private readonly clock: Clock
  private readonly fork: ForkNode
  private readonly flags: readonly string[]
  private readonly listener: NodeProcessListener
  private state: NodeStateKind = 'stopped'
  private reason: string | undefined
  private sinceMs: number
  private startCount = 0
  private child: NodeChild | undefined
  private stopTimer: Timer | undefined
  private exitWaiters: (() => void)[] = []

  constructor(
    parts: {
      readonly clock: Clock
      readonly fork: ForkNode
      readonly listener: NodeProcessListener
    },
    node: PlaygroundNode,
    flags: readonly string[],
  ) {
    this.clock = parts.clock
    this.fork = parts.fork
    this.listener = parts.listener
    this.node = node
    this.flags = flags
    this.sinceMs = this.clock.wallMs()
  }

  info(): NodeInfo {
    return {
      name: this.node.name,
      state: this.state,
      ...(this.reason === undefined ? {} : { reason: this.reason }),
      ...(this.child?.processId === undefined ? {} : { processId: this.child.processId }),
      clientUrl: clientUrlOf(this.node),
      peerUrl: peerUrlOf(this.node),
      sinceMs: this.sinceMs,
      startCount: this.startCount,
    }
  }

  isAlive(): boolean {
    return this.child !== undefined
  }

  /** @throws HostError `nodeState` when it runs already */
  start(): void {
    if (this.child !== undefined) {
      throw new HostError('nodeState', `${this.node.name} is running already`)
    }
    this.startCount++
    this.change('starting')
    const child = this.fork(this.node.name, this.flags, {
      onMessage: (message) => {
        this.onMessage(message)
      },
      onExit: (exitCode) => {
        if (this.child === child) this.onExit(exitCode)
      },
    })
    this.child = child
    this.listener.onChange()
  }

  /** Lets the node end in good order; resolves when the process is gone. */
  async stop(): Promise<void> {
    const { child } = this
    if (child === undefined) return
    this.change('stopping')
    child.send({ kind: 'stop' })
    this.stopTimer ??= this.clock.setTimer(stopTimeoutMs, () => {
      child.kill()
    })
    await this.exit()
  }

  /** Ends the process as a power failure would; resolves when it is gone. */
  async kill(): Promise<void> {
    const { child } = this
    if (child === undefined) {
      throw new HostError('nodeState', `${this.node.name} is not running`)
    }
    this.state = 'killed'
    child.kill()
    await this.exit()
  }

  private exit(): Promise<void> {
    if (this.child === undefined) return Promise.resolve()
    return new Promise((resolve) => {
      this.exitWaiters.push(resolve)
    })
  }

  private onMessage(message: NodeMessage): void {
    switch (message.kind) {
      case 'log': {
        const { level, atMs, fieldsText } = message
        this.listener.onLog({
          nodeName: this.node.name,
          level,
          atMs,
          message: message.message,
          fieldsText,
        })
        break
      }
      case 'ready':
        if (this.state === 'starting') this.change('running')
        break
      case 'failed':
        this.reason = message.reason
        break
    }
  }

  private onExit(exitCode: number): void {
    this.child = undefined
    this.stopTimer?.cancel()
    this.stopTimer = undefined
    switch (this.state) {
      case 'killed':
        this.change('killed')
        break
      case 'stopping':
        this.change('stopped')
        break
      default:
        this.change('failed', this.reason ?? `The process ended with code ${String(exitCode)}`)
    }
    for (const resolve of this.exitWaiters.splice(0)) resolve()
  }

  private change(state: NodeStateKind, reason?: string): void {
    this.state = state
    this.reason = reason
    this.sinceMs = this.clock.wallMs()
    this.listener.onChange()
  }
}
