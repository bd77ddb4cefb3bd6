/** What concerns the app and not a cluster's data: the app itself, connections, local nodes, settings, the operations log. */

import type { AppCommand, AppInfo, ClosingNotice } from '../../preload/contract/app.ts'
import { clipboardRequestSchema } from '../../preload/contract/app.ts'
import { callChannels, streamChannels } from '../../preload/contract/channels.ts'
import {
  logInRequestSchema,
  openConnectionRequestSchema,
  unlockRequestSchema,
  type ConnectionEvent,
  type UserAccess,
} from '../../preload/contract/connection.ts'
import {
  nodeRequestSchema,
  startPlaygroundRequestSchema,
  type NodeItem,
} from '../../preload/contract/node.ts'
import type { Operation } from '../../preload/contract/operation.ts'
import { connectionRequestSchema, emptyRequestSchema } from '../../preload/contract/primitives.ts'
import {
  revisionAtRequestSchema,
  revisionTimesRequestSchema,
} from '../../preload/contract/revision-time.ts'
import {
  pageStateRequestSchema,
  pageStateSchema,
  settingsPatchSchema,
  type Settings,
} from '../../preload/contract/settings.ts'
import type { Connection } from '../connections/connection.ts'
import type { ConnectionManager } from '../connections/connection-manager.ts'
import type { OperationLog } from '../connections/operation-log.ts'
import type { SettingsStore } from '../settings-file.ts'
import type { StoreHost } from '../store-host/store-host.ts'
import { rangeOfWire } from './key-conversion.ts'
import type { IpcRouter } from './ipc-router.ts'
import type { StreamSink } from './stream-hub.ts'

export interface AppHandlerParts {
  info(): Promise<AppInfo>
  writeClipboard(text: string): Promise<void>
  /** Commands of the native menu; the returned function ends it. */
  onCommand(listener: (command: AppCommand) => void): () => void
  /** The window is about to close; the returned function ends it. */
  onClosing(listener: (notice: ClosingNotice) => void): () => void
  pageIsReady(): void
}

export function registerAppHandlers(router: IpcRouter, parts: AppHandlerParts): void {
  router.call(callChannels.appInfo, emptyRequestSchema, () => parts.info())
  router.call(callChannels.appWriteClipboard, clipboardRequestSchema, async ({ text }) => {
    await parts.writeClipboard(text)
    return null
  })
  router.stream(streamChannels.appCommands, emptyRequestSchema, {
    begin: (_request, sink: StreamSink<AppCommand>) => ({ dispose: parts.onCommand(sink.push) }),
  })
  router.call(callChannels.appReadyToClose, emptyRequestSchema, () => {
    parts.pageIsReady()
    return null
  })
  router.stream(streamChannels.appClosing, emptyRequestSchema, {
    begin: (_request, sink: StreamSink<ClosingNotice>) => ({ dispose: parts.onClosing(sink.push) }),
  })
}

export function registerConnectionHandlers(
  router: IpcRouter,
  connections: ConnectionManager,
  /** Shows the dialog that chooses a file; undefined when none was chosen. */
  choosePath: () => Promise<string | undefined>,
): void {
  router.call(callChannels.connectionsList, emptyRequestSchema, () => connections.list())
  router.call(callChannels.connectionsOpen, openConnectionRequestSchema, (request) =>
    connections.openNew(request),
  )
  router.call(callChannels.connectionsOpenSaved, connectionRequestSchema, ({ connectionId }) =>
    connections.openSaved(connectionId),
  )
  router.call(callChannels.connectionsClose, connectionRequestSchema, ({ connectionId }) => {
    connections.close(connectionId)
    return null
  })
  router.call(callChannels.connectionsRemove, connectionRequestSchema, async ({ connectionId }) => {
    await connections.remove(connectionId)
    return null
  })
  router.call(callChannels.connectionsLock, connectionRequestSchema, async ({ connectionId }) => {
    await connections.lock(connectionId)
    return null
  })
  router.call(callChannels.connectionsUnlock, unlockRequestSchema, async (request) => {
    await connections.unlock(request)
    return null
  })
  router.call(
    callChannels.connectionsTimes,
    revisionTimesRequestSchema,
    ({ connectionId, revisions }) => {
      const { times } = connections.get(connectionId)
      return revisions.map((revision) => times.timeOf(revision))
    },
  )
  router.call(
    callChannels.connectionsRevisionAt,
    revisionAtRequestSchema,
    ({ connectionId, atMs }) => connections.get(connectionId).times.newestAt(atMs),
  )
  router.call(callChannels.connectionsLogIn, logInRequestSchema, async (request) => {
    await connections.logIn(request)
    return null
  })
  router.call(callChannels.connectionsAccess, connectionRequestSchema, ({ connectionId }) =>
    accessOf(connections.get(connectionId)),
  )
  router.call(callChannels.connectionsChooseFile, emptyRequestSchema, async () => {
    const path = await choosePath()
    return path === undefined ? null : connections.files.add(path)
  })
  router.stream(streamChannels.connectionsObserve, emptyRequestSchema, {
    begin: (_request, sink: StreamSink<ConnectionEvent>) => {
      for (const connection of connections.list()) sink.push({ kind: 'changed', connection })
      return { dispose: connections.onEvent(sink.push) }
    },
  })
}

async function accessOf({ client }: Connection): Promise<UserAccess | null> {
  if (client.login === undefined) return null
  const { user, roles, permissions } = await client.auth.access(client.login.user)
  return {
    user,
    roles,
    permissions: permissions.map(({ role, kind, start, rangeEnd }) => ({
      role,
      kind,
      range: rangeOfWire(start, rangeEnd),
    })),
  }
}

export function registerNodeHandlers(router: IpcRouter, host: StoreHost): void {
  router.call(callChannels.nodesList, emptyRequestSchema, () => host.info())
  router.call(callChannels.nodesStartPlayground, startPlaygroundRequestSchema, ({ size }) =>
    host.startPlayground(size),
  )
  router.call(callChannels.nodesStart, nodeRequestSchema, ({ nodeName }) => host.start(nodeName))
  router.call(callChannels.nodesStop, nodeRequestSchema, ({ nodeName }) => host.stop(nodeName))
  router.call(callChannels.nodesKill, nodeRequestSchema, ({ nodeName }) => host.kill(nodeName))
  router.call(callChannels.nodesRestart, nodeRequestSchema, ({ nodeName }) =>
    host.restart(nodeName),
  )
  router.stream(streamChannels.nodesObserve, emptyRequestSchema, {
    begin: (_request, sink: StreamSink<NodeItem>) => {
      sink.push({ kind: 'changed', playground: host.info() })
      for (const line of host.logTail()) sink.push({ kind: 'log', line })
      return { dispose: host.onItem(sink.push) }
    },
  })
}

export function registerSettingsHandlers(router: IpcRouter, settings: SettingsStore): void {
  router.call(callChannels.settingsGet, emptyRequestSchema, () => settings.get())
  router.call(callChannels.settingsUpdate, settingsPatchSchema, (patch) => settings.update(patch))
  router.call(callChannels.settingsLoadPageState, pageStateRequestSchema, ({ name }) =>
    settings.findPageState(name),
  )
  router.call(callChannels.settingsSavePageState, pageStateSchema, async (state) => {
    await settings.savePageState(state)
    return null
  })
  router.stream(streamChannels.settingsObserve, emptyRequestSchema, {
    begin: (_request, sink: StreamSink<Settings>) => {
      sink.push(settings.get())
      return { dispose: settings.onChange(sink.push) }
    },
  })
}

export function registerOperationHandlers(router: IpcRouter, operations: OperationLog): void {
  router.stream(streamChannels.operationsObserve, emptyRequestSchema, {
    begin: (_request, sink: StreamSink<Operation>) => {
      for (const operation of operations.list()) sink.push(operation)
      return { dispose: operations.onOperation(sink.push) }
    },
  })
}
