/**
 * Names of the channels between page and main process. Calls are answered once (`ipcRenderer.invoke`); streams are opened
 * by a call with a stream id chosen by the preload, deliver on `streamDelivery`, and are acknowledged batch by batch.
 */

export const callChannels = {
  appInfo: 'app.info',
  appWriteClipboard: 'app.writeClipboard',
  appReadyToClose: 'app.readyToClose',
  connectionsList: 'connections.list',
  connectionsOpen: 'connections.open',
  connectionsOpenSaved: 'connections.openSaved',
  connectionsClose: 'connections.close',
  connectionsRemove: 'connections.remove',
  connectionsLock: 'connections.lock',
  connectionsUnlock: 'connections.unlock',
  connectionsTimes: 'connections.times',
  connectionsRevisionAt: 'connections.revisionAt',
  connectionsLogIn: 'connections.logIn',
  connectionsAccess: 'connections.access',
  connectionsChooseFile: 'connections.chooseFile',
  kvRange: 'kv.range',
  kvCount: 'kv.count',
  kvGet: 'kv.get',
  kvPut: 'kv.put',
  kvDeleteKeys: 'kv.deleteKeys',
  kvDeleteRange: 'kv.deleteRange',
  kvTxn: 'kv.txn',
  filesBeginSave: 'files.beginSave',
  filesAppend: 'files.append',
  filesFinishSave: 'files.finishSave',
  filesAbandonSave: 'files.abandonSave',
  filesOpen: 'files.open',
  plansList: 'plans.list',
  plansCancel: 'plans.cancel',
  binChanges: 'bin.changes',
  activityFind: 'activity.find',
  queryRange: 'query.range',
  leaseList: 'lease.list',
  leaseLife: 'lease.life',
  leaseGrant: 'lease.grant',
  clusterSnapshot: 'cluster.snapshot',
  nodesList: 'nodes.list',
  nodesStartPlayground: 'nodes.startPlayground',
  nodesStart: 'nodes.start',
  nodesStop: 'nodes.stop',
  nodesKill: 'nodes.kill',
  nodesRestart: 'nodes.restart',
  settingsGet: 'settings.get',
  settingsUpdate: 'settings.update',
  settingsLoadPageState: 'settings.loadPageState',
  settingsSavePageState: 'settings.savePageState',
} as const
export type CallChannel = (typeof callChannels)[keyof typeof callChannels]

export const streamChannels = {
  appCommands: 'app.commands',
  appClosing: 'app.closing',
  connectionsObserve: 'connections.observe',
  historyOpen: 'history.open',
  watchOpen: 'watch.open',
  watchOpenRows: 'watch.openRows',
  scanOpen: 'scan.open',
  plansOpen: 'plans.open',
  plansRun: 'plans.run',
  binOpen: 'bin.open',
  activityOpen: 'activity.open',
  compareOpen: 'compare.open',
  clusterObserve: 'cluster.observe',
  nodesObserve: 'nodes.observe',
  settingsObserve: 'settings.observe',
  operationsObserve: 'operations.observe',
} as const
export type StreamChannel = (typeof streamChannels)[keyof typeof streamChannels]

/** From main to page: `StreamDelivery`. */
export const streamDeliveryChannel = 'stream.delivery'
/** From page to main: the stream id, after the listener took a batch. */
export const streamAcknowledgeChannel = 'stream.acknowledge'
/** From page to main, first of all: a page was loaded, so the streams of the one before it have nobody to listen. */
export const streamPageStartChannel = 'stream.pageStart'
/** From page to main: the stream id, when the listener is no longer interested. */
export const streamCloseChannel = 'stream.close'
