/**
 * Exposes `window.bridge`. Nothing but wiring: each call has its own channel, fixed here, so that the page can name none.
 */

import { contextBridge, ipcRenderer } from 'electron'
import type { Bridge } from './contract/bridge.ts'
import {
  callChannels,
  streamAcknowledgeChannel,
  streamChannels,
  streamCloseChannel,
  streamDeliveryChannel,
  streamPageStartChannel,
  type CallChannel,
  type StreamChannel,
} from './contract/channels.ts'
import type { Reply, StreamListener, StreamMessage, Subscription } from './contract/reply.ts'
import type { StreamDelivery } from './contract/stream-frame.ts'

ipcRenderer.send(streamPageStartChannel, {})

let newestStreamId = 0
const listeners = new Map<number, StreamListener<unknown>>()

ipcRenderer.on(streamDeliveryChannel, (_event, delivery: StreamDelivery) => {
  const { streamId, message } = delivery
  const listener = listeners.get(streamId)
  if (message.kind === 'ended') listeners.delete(streamId)
  // A listener that throws must not stop the flow of the others, nor of its own later batches.
  try {
    listener?.(message)
  } finally {
    if (message.kind === 'batch') ipcRenderer.send(streamAcknowledgeChannel, { streamId })
  }
})

function call<Value>(channel: CallChannel): (request: unknown) => Promise<Reply<Value>> {
  return (request) => ipcRenderer.invoke(channel, request) as Promise<Reply<Value>>
}

function callWithout<Value>(channel: CallChannel): () => Promise<Reply<Value>> {
  return () => ipcRenderer.invoke(channel, {}) as Promise<Reply<Value>>
}

function openStream<Item>(
  channel: StreamChannel,
  request: unknown,
  listener: StreamListener<Item>,
): Subscription {
  newestStreamId++
  const streamId = newestStreamId
  listeners.set(streamId, (message) => {
    listener(message as StreamMessage<Item>)
  })
  void ipcRenderer.invoke(channel, { streamId, request }).then((reply: Reply<null>) => {
    if (reply.ok || !listeners.delete(streamId)) return
    listener({ kind: 'ended', error: reply.error })
  })
  return {
    close: () => {
      if (!listeners.delete(streamId)) return
      ipcRenderer.send(streamCloseChannel, { streamId })
    },
  }
}

function stream<Item>(
  channel: StreamChannel,
): (request: unknown, listener: StreamListener<Item>) => Subscription {
  return (request, listener) => openStream(channel, request, listener)
}

function streamWithout<Item>(
  channel: StreamChannel,
): (listener: StreamListener<Item>) => Subscription {
  return (listener) => openStream(channel, {}, listener)
}

const bridge: Bridge = {
  app: {
    info: callWithout(callChannels.appInfo),
    observeCommands: streamWithout(streamChannels.appCommands),
    writeClipboard: call(callChannels.appWriteClipboard),
    observeClosing: streamWithout(streamChannels.appClosing),
    readyToClose: callWithout(callChannels.appReadyToClose),
  },
  connections: {
    list: callWithout(callChannels.connectionsList),
    observe: streamWithout(streamChannels.connectionsObserve),
    open: call(callChannels.connectionsOpen),
    openSaved: call(callChannels.connectionsOpenSaved),
    close: call(callChannels.connectionsClose),
    remove: call(callChannels.connectionsRemove),
    lock: call(callChannels.connectionsLock),
    unlock: call(callChannels.connectionsUnlock),
    times: call(callChannels.connectionsTimes),
    revisionAt: call(callChannels.connectionsRevisionAt),
    logIn: call(callChannels.connectionsLogIn),
    access: call(callChannels.connectionsAccess),
    chooseFile: callWithout(callChannels.connectionsChooseFile),
  },
  kv: {
    range: call(callChannels.kvRange),
    count: call(callChannels.kvCount),
    get: call(callChannels.kvGet),
    put: call(callChannels.kvPut),
    deleteKeys: call(callChannels.kvDeleteKeys),
    deleteRange: call(callChannels.kvDeleteRange),
    txn: call(callChannels.kvTxn),
  },
  files: {
    beginSave: call(callChannels.filesBeginSave),
    append: call(callChannels.filesAppend),
    finishSave: call(callChannels.filesFinishSave),
    abandonSave: call(callChannels.filesAbandonSave),
    open: call(callChannels.filesOpen),
  },
  leases: {
    list: call(callChannels.leaseList),
    life: call(callChannels.leaseLife),
    grant: call(callChannels.leaseGrant),
  },
  query: { range: call(callChannels.queryRange) },
  history: { open: stream(streamChannels.historyOpen) },
  watch: {
    open: stream(streamChannels.watchOpen),
    openRows: stream(streamChannels.watchOpenRows),
  },
  scan: { open: stream(streamChannels.scanOpen) },
  plans: {
    open: stream(streamChannels.plansOpen),
    run: stream(streamChannels.plansRun),
    cancel: call(callChannels.plansCancel),
    list: call(callChannels.plansList),
  },
  activity: {
    open: stream(streamChannels.activityOpen),
    find: call(callChannels.activityFind),
  },
  bin: { open: stream(streamChannels.binOpen), changes: call(callChannels.binChanges) },
  compare: { open: stream(streamChannels.compareOpen) },
  cluster: {
    snapshot: call(callChannels.clusterSnapshot),
    observe: stream(streamChannels.clusterObserve),
  },
  nodes: {
    list: callWithout(callChannels.nodesList),
    observe: streamWithout(streamChannels.nodesObserve),
    startPlayground: call(callChannels.nodesStartPlayground),
    start: call(callChannels.nodesStart),
    stop: call(callChannels.nodesStop),
    kill: call(callChannels.nodesKill),
    restart: call(callChannels.nodesRestart),
  },
  settings: {
    get: callWithout(callChannels.settingsGet),
    update: call(callChannels.settingsUpdate),
    observe: streamWithout(streamChannels.settingsObserve),
    loadPageState: call(callChannels.settingsLoadPageState),
    savePageState: call(callChannels.settingsSavePageState),
  },
  operations: { observe: streamWithout(streamChannels.operationsObserve) },
}

contextBridge.exposeInMainWorld('bridge', bridge)
