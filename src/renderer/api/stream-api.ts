import type { ActivityItem, ActivityRequest } from '../../preload/contract/activity.ts'
import type { AppCommand, ClosingNotice } from '../../preload/contract/app.ts'
import type { ClusterItem, ObserveClusterRequest } from '../../preload/contract/cluster.ts'
import type { CompareItem, CompareRequest } from '../../preload/contract/compare.ts'
import type { ConnectionEvent } from '../../preload/contract/connection.ts'
import type { HistoryItem, HistoryRequest } from '../../preload/contract/history.ts'
import type { NodeItem } from '../../preload/contract/node.ts'
import type { Subscription } from '../../preload/contract/reply.ts'
import type { ScanItem, ScanRequest } from '../../preload/contract/scan.ts'
import type { Settings } from '../../preload/contract/settings.ts'
import type {
  WatchItem,
  WatchRequest,
  WatchRowsItem,
  WatchRowsRequest,
} from '../../preload/contract/watch.ts'
import { getBridge, subscribe } from './bridge.ts'
import type { StreamHandlers } from './bridge.ts'

/** Everything that goes on delivering until it is closed. The owner closes the subscription when its scope ends. */
export const streamApi = {
  /** Live changes of a range of keys. */
  watch: (request: WatchRequest, handlers: StreamHandlers<WatchItem>): Subscription =>
    subscribe((listener) => getBridge().watch.open(request, listener), handlers),
  /** The same with changes as columns: for thousands a second. */
  watchRows: (request: WatchRowsRequest, handlers: StreamHandlers<WatchRowsItem>): Subscription =>
    subscribe((listener) => getBridge().watch.openRows(request, listener), handlers),
  /** Every key of a range, looked at in the main process. */
  scan: (request: ScanRequest, handlers: StreamHandlers<ScanItem>): Subscription =>
    subscribe((listener) => getBridge().scan.open(request, listener), handlers),
  /** The difference between two ranges of keys. */
  compare: (request: CompareRequest, handlers: StreamHandlers<CompareItem>): Subscription =>
    subscribe((listener) => getBridge().compare.open(request, listener), handlers),
  /** How busy the past of a range was. */
  activity: (request: ActivityRequest, handlers: StreamHandlers<ActivityItem>): Subscription =>
    subscribe((listener) => getBridge().activity.open(request, listener), handlers),
  /** The past of one key, newest first. */
  history: (request: HistoryRequest, handlers: StreamHandlers<HistoryItem>): Subscription =>
    subscribe((listener) => getBridge().history.open(request, listener), handlers),
  /** The members of a cluster, again and again. */
  cluster: (request: ObserveClusterRequest, handlers: StreamHandlers<ClusterItem>): Subscription =>
    subscribe((listener) => getBridge().cluster.observe(request, listener), handlers),
  /** All connections, then every change. */
  connections: (handlers: StreamHandlers<ConnectionEvent>): Subscription =>
    subscribe((listener) => getBridge().connections.observe(listener), handlers),
  /** Local nodes: their states and their log lines. */
  nodes: (handlers: StreamHandlers<NodeItem>): Subscription =>
    subscribe((listener) => getBridge().nodes.observe(listener), handlers),
  /** Settings as they change. */
  settings: (handlers: StreamHandlers<Settings>): Subscription =>
    subscribe((listener) => getBridge().settings.observe(listener), handlers),
  /** Commands chosen in the native menu. */
  commands: (handlers: StreamHandlers<AppCommand>): Subscription =>
    subscribe((listener) => getBridge().app.observeCommands(listener), handlers),
  /** The window is about to close. */
  closing: (handlers: StreamHandlers<ClosingNotice>): Subscription =>
    subscribe((listener) => getBridge().app.observeClosing(listener), handlers),
} as const
