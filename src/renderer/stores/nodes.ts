/** Nodes of the local cluster: their states, their logs, and what the user asked of them. */

import { defineStore } from 'pinia'
import { computed, ref, shallowRef } from 'vue'
import type {
  NodeInfo,
  NodeItem,
  NodeLogLine,
  PlaygroundInfo,
} from '../../preload/contract/node.ts'
import { nodeApi } from '../api/host-api.ts'
import { streamApi } from '../api/stream-api.ts'

const logLinesMax = 5_000

/** What can be asked of a node. */
export type NodeAct = 'start' | 'stop' | 'kill'

export const useNodeStore = defineStore('nodes', () => {
  const playground = shallowRef<PlaygroundInfo>({ nodes: [] })
  const lines = shallowRef<readonly NodeLogLine[]>([])
  /** Acts on their way, as `node1:kill`. */
  const pending = ref(new Set<string>())
  const status = ref<'idle' | 'ready'>('idle')
  const nodes = computed(() => playground.value.nodes)

  /** Follows the nodes for as long as the window lives. */
  function start(): void {
    streamApi.nodes({ onBatch: take })
  }

  function take(items: readonly NodeItem[]): void {
    status.value = 'ready'
    const added: NodeLogLine[] = []
    for (const item of items) {
      if (item.kind === 'changed') playground.value = item.playground
      else added.push(item.line)
    }
    if (added.length > 0) lines.value = [...lines.value, ...added].slice(-logLinesMax)
  }

  /** Asks a node to start, stop or die. Throws `CallError` when refused. */
  async function act(nodeName: string, what: NodeAct): Promise<void> {
    const name = `${nodeName}:${what}`
    pending.value.add(name)
    try {
      playground.value = await nodeApi[what](nodeName)
    } finally {
      pending.value.delete(name)
    }
  }

  async function startPlayground(size: number): Promise<void> {
    playground.value = await nodeApi.startPlayground(size)
  }

  function findNode(name: string): NodeInfo | undefined {
    return nodes.value.find((node) => node.name === name)
  }

  return { playground, nodes, lines, pending, status, start, act, startPlayground, findNode }
})
