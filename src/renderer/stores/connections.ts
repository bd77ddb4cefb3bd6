/** All saved and open clusters, and the one that this window looks at. */

import { defineStore } from 'pinia'
import { computed, ref, shallowRef } from 'vue'
import type { AppInfo } from '../../preload/contract/app.ts'
import type {
  ConnectionEvent,
  ConnectionInfo,
  OpenConnectionRequest,
} from '../../preload/contract/connection.ts'
import { appApi, connectionApi } from '../api/host-api.ts'
import { streamApi } from '../api/stream-api.ts'

/** Colours of connections in the tokens: `--conn-1` to `--conn-8`. */
const coloursCount = 8

export const useConnectionStore = defineStore('connections', () => {
  const connections = shallowRef<readonly ConnectionInfo[]>([])
  const activeId = ref<string>()
  /** The read-only connection whose writing the user is asked about. */
  const unlockingId = ref<string>()
  const appInfo = shallowRef<AppInfo>()
  /** The list has been told by the main process. */
  const isListed = ref(false)
  const status = ref<'idle' | 'loading' | 'ready' | 'failed'>('idle')
  const error = shallowRef<unknown>()
  const active = computed(() => findConnection(activeId.value))

  function findConnection(id: string | undefined): ConnectionInfo | undefined {
    return connections.value.find((connection) => connection.id === id)
  }

  /** Learns what was launched and follows the list of connections for as long as the window lives. */
  async function start(): Promise<void> {
    status.value = 'loading'
    try {
      appInfo.value = await appApi.info()
      activeId.value = appInfo.value.initialConnectionId
      streamApi.connections({
        onBatch: (events) => {
          take(events)
          isListed.value = true
        },
      })
      status.value = 'ready'
    } catch (failure) {
      status.value = 'failed'
      error.value = failure
    }
  }

  function take(events: readonly ConnectionEvent[]): void {
    connections.value = events.reduce(withEvent, connections.value)
    if (findConnection(activeId.value) === undefined) {
      activeId.value = connections.value.find((one) => one.state !== 'closed')?.id
    }
  }

  /** Connects to a cluster by its URLs and looks at it. */
  async function open(request: OpenConnectionRequest): Promise<ConnectionInfo> {
    return look(await connectionApi.open(request))
  }

  async function openSaved(connectionId: string): Promise<ConnectionInfo> {
    return look(await connectionApi.openSaved(connectionId))
  }

  function look(connection: ConnectionInfo): ConnectionInfo {
    take([{ kind: 'changed', connection }])
    activeId.value = connection.id
    return connection
  }

  return {
    connections,
    activeId,
    active,
    unlockingId,
    isListed,
    appInfo,
    status,
    error,
    findConnection,
    start,
    open,
    openSaved,
    close: connectionApi.close,
    remove: connectionApi.remove,
    lock: connectionApi.lock,
    unlock: connectionApi.unlock,
    logIn: connectionApi.logIn,
    access: connectionApi.access,
    chooseFile: connectionApi.chooseFile,
  }
})

/** The token of a connection's colour. The playground is green; the others take turns by their place in the list. */
export function connectionColour(
  connections: readonly ConnectionInfo[],
  connection: ConnectionInfo | undefined,
): string {
  if (connection === undefined) return 'var(--border)'
  if (connection.environment === 'production') return 'var(--conn-4)'
  if (connection.origin === 'playground') return 'var(--conn-2)'
  const others = connections.filter((one) => one.origin !== 'playground')
  const place = others.findIndex((one) => one.id === connection.id)
  // Green and red have a meaning of their own, so the turn leaves them out.
  const turn = [1, 6, 3, 8, 5, 7]
  return `var(--conn-${String(turn[place % turn.length] ?? (place % coloursCount) + 1)})`
}

function withEvent(
  connections: readonly ConnectionInfo[],
  event: ConnectionEvent,
): readonly ConnectionInfo[] {
  if (event.kind === 'removed') return connections.filter((one) => one.id !== event.connectionId)
  const { connection } = event
  return connections.some((one) => one.id === connection.id)
    ? connections.map((one) => (one.id === connection.id ? connection : one))
    : [...connections, connection]
}
