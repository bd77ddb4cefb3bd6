/**
 * The whole surface between the page and the main process, as one type. The page finds it as `window.bridge`.
 *
 * Calls resolve with a `Reply` and never reject. Streams call their listener with batches (at most one about every
 * 16 ms) and once with their end; `close()` ends them from this side.
 */

import type {
  ActivityFindReply,
  ActivityFindRequest,
  ActivityItem,
  ActivityRequest,
} from './activity.ts'
import type { AppCommand, AppInfo, ClipboardRequest, ClosingNotice } from './app.ts'
import type { BinItem, BinRequest, RevisionChangesReply, RevisionChangesRequest } from './bin.ts'
import type { ClusterItem, ClusterSnapshot, ObserveClusterRequest } from './cluster.ts'
import type { CompareItem, CompareRequest } from './compare.ts'
import type {
  ConnectionEvent,
  ChosenFile,
  ConnectionInfo,
  LogInRequest,
  OpenConnectionRequest,
  UnlockRequest,
  UserAccess,
} from './connection.ts'
import type {
  AppendFileRequest,
  BeginSaveReply,
  BeginSaveRequest,
  FileTokenRequest,
  OpenFileReply,
  OpenFileRequest,
  SavedFile,
} from './file.ts'
import type { HistoryItem, HistoryRequest } from './history.ts'
import type {
  CountReply,
  CountRequest,
  DeleteKeysReply,
  DeleteKeysRequest,
  DeleteRangeReply,
  DeleteRangeRequest,
  GetReply,
  GetRequest,
  PutReply,
  PutRequest,
  RangeReply,
  RangeRequest,
  TxnReply,
  TxnRequest,
} from './kv.ts'
import type {
  LeaseGrantReply,
  LeaseGrantRequest,
  LeaseLife,
  LeaseList,
  LeaseRequest,
} from './lease.ts'
import type { NodeItem, NodeRequest, PlaygroundInfo, StartPlaygroundRequest } from './node.ts'
import type { Operation } from './operation.ts'
import type {
  PlanCancelRequest,
  PlanItem,
  PlanList,
  PlanRequest,
  PlanRunItem,
  PlanRunRequest,
} from './plan.ts'
import type { ConnectionRequest } from './primitives.ts'
import type {
  RevisionAtReply,
  RevisionAtRequest,
  RevisionTime,
  RevisionTimesRequest,
} from './revision-time.ts'
import type { QueryRangeReply, QueryRangeRequest } from './query.ts'
import type { Reply, StreamListener, Subscription } from './reply.ts'
import type { ScanItem, ScanRequest } from './scan.ts'
import type { PageState, PageStateRequest, Settings, SettingsPatch } from './settings.ts'
import type { WatchItem, WatchRequest, WatchRowsItem, WatchRowsRequest } from './watch.ts'

export interface AppBridge {
  info(): Promise<Reply<AppInfo>>
  /** Commands chosen in the native menu. */
  observeCommands(listener: StreamListener<AppCommand>): Subscription
  writeClipboard(request: ClipboardRequest): Promise<Reply<null>>
  /** Says that the window is about to close; each notice is to be answered by `readyToClose`. */
  observeClosing(listener: StreamListener<ClosingNotice>): Subscription
  /** The page has saved what it wants to find again. */
  readyToClose(): Promise<Reply<null>>
}

export interface ConnectionsBridge {
  list(): Promise<Reply<readonly ConnectionInfo[]>>
  /** First all connections as they are, then every change. */
  observe(listener: StreamListener<ConnectionEvent>): Subscription
  /** Begins to connect; answers at once with the connection in state `connecting`. */
  open(request: OpenConnectionRequest): Promise<Reply<ConnectionInfo>>
  /** Opens a saved one again. */
  openSaved(request: ConnectionRequest): Promise<Reply<ConnectionInfo>>
  /** Ends its calls and streams; a saved one stays in the list as `closed`. */
  close(request: ConnectionRequest): Promise<Reply<null>>
  /** Closes and forgets it. */
  remove(request: ConnectionRequest): Promise<Reply<null>>
  /** Refuses every write of a connection from now on. */
  lock(request: ConnectionRequest): Promise<Reply<null>>
  unlock(request: UnlockRequest): Promise<Reply<null>>
  /** What is known of the times of revisions, in their order. */
  times(request: RevisionTimesRequest): Promise<Reply<readonly RevisionTime[]>>
  /** Which revision was the newest at a time. */
  revisionAt(request: RevisionAtRequest): Promise<Reply<RevisionAtReply>>
  /** Tries another password; whether it was the right one comes with the connection's state. */
  logIn(request: LogInRequest): Promise<Reply<null>>
  /** What the user of this connection may do; null for a connection without a user. */
  access(request: ConnectionRequest): Promise<Reply<UserAccess | null>>
  /** Lets the user choose a certificate or key. */
  chooseFile(): Promise<Reply<ChosenFile>>
}

export interface KvBridge {
  range(request: RangeRequest): Promise<Reply<RangeReply>>
  count(request: CountRequest): Promise<Reply<CountReply>>
  get(request: GetRequest): Promise<Reply<GetReply>>
  put(request: PutRequest): Promise<Reply<PutReply>>
  deleteKeys(request: DeleteKeysRequest): Promise<Reply<DeleteKeysReply>>
  deleteRange(request: DeleteRangeRequest): Promise<Reply<DeleteRangeReply>>
  txn(request: TxnRequest): Promise<Reply<TxnReply>>
}

/** Files that the user chooses in a dialog of the system. */
export interface FilesBridge {
  beginSave(request: BeginSaveRequest): Promise<Reply<BeginSaveReply>>
  /** Answers when the part is written; the next one is sent then. */
  append(request: AppendFileRequest): Promise<Reply<null>>
  /** Only now the file stands under its name. */
  finishSave(request: FileTokenRequest): Promise<Reply<SavedFile>>
  abandonSave(request: FileTokenRequest): Promise<Reply<null>>
  open(request: OpenFileRequest): Promise<Reply<OpenFileReply>>
}

export interface LeasesBridge {
  list(request: ConnectionRequest): Promise<Reply<LeaseList>>
  /** How long a lease lives yet, and its keys. */
  life(request: LeaseRequest): Promise<Reply<LeaseLife>>
  grant(request: LeaseGrantRequest): Promise<Reply<LeaseGrantReply>>
}

export interface QueryBridge {
  /** One range with every option, perhaps from one member alone, and who answered it. */
  range(request: QueryRangeRequest): Promise<Reply<QueryRangeReply>>
}

export interface HistoryBridge {
  /** The revisions of one key, newest first; ends by itself. */
  open(request: HistoryRequest, listener: StreamListener<HistoryItem>): Subscription
}

export interface WatchBridge {
  open(request: WatchRequest, listener: StreamListener<WatchItem>): Subscription
  /** The same with changes as columns: for thousands a second. */
  openRows(request: WatchRowsRequest, listener: StreamListener<WatchRowsItem>): Subscription
}

export interface ScanBridge {
  /** Every key of a range, looked at in the main process; ends by itself. */
  open(request: ScanRequest, listener: StreamListener<ScanItem>): Subscription
}

export interface PlansBridge {
  /** Computes a plan; it exists until the stream is closed. */
  open(request: PlanRequest, listener: StreamListener<PlanItem>): Subscription
  /** Runs a plan that is ready; ends by itself with a report. */
  run(request: PlanRunRequest, listener: StreamListener<PlanRunItem>): Subscription
  cancel(request: PlanCancelRequest): Promise<Reply<null>>
  /** What ran on a connection since the app was started, newest first. */
  list(request: ConnectionRequest): Promise<Reply<PlanList>>
}

export interface BinBridge {
  /** The deleted keys of a range, and what becomes of them, until it is closed. */
  open(request: BinRequest, listener: StreamListener<BinItem>): Subscription
  /** Everything that one revision changed. */
  changes(request: RevisionChangesRequest): Promise<Reply<RevisionChangesReply>>
}

export interface CompareBridge {
  /** The difference between two ranges of keys, in the order of the keys; ends by itself. */
  open(request: CompareRequest, listener: StreamListener<CompareItem>): Subscription
}

export interface ClusterBridge {
  snapshot(request: ConnectionRequest): Promise<Reply<ClusterSnapshot>>
  observe(request: ObserveClusterRequest, listener: StreamListener<ClusterItem>): Subscription
}

export interface NodesBridge {
  list(): Promise<Reply<PlaygroundInfo>>
  observe(listener: StreamListener<NodeItem>): Subscription
  startPlayground(request: StartPlaygroundRequest): Promise<Reply<PlaygroundInfo>>
  /** Answers when the process runs; whether it serves comes on the stream. */
  start(request: NodeRequest): Promise<Reply<PlaygroundInfo>>
  /** Asks the node to end in good order and answers when it is gone. */
  stop(request: NodeRequest): Promise<Reply<PlaygroundInfo>>
  /** SIGKILL; answers when the process is gone. */
  kill(request: NodeRequest): Promise<Reply<PlaygroundInfo>>
  /** Stop (if it runs), then start. */
  restart(request: NodeRequest): Promise<Reply<PlaygroundInfo>>
}

export interface SettingsBridge {
  get(): Promise<Reply<Settings>>
  update(patch: SettingsPatch): Promise<Reply<Settings>>
  observe(listener: StreamListener<Settings>): Subscription
  /** Text that was saved under this name, or null. */
  loadPageState(request: PageStateRequest): Promise<Reply<string | null>>
  savePageState(state: PageState): Promise<Reply<null>>
}

export interface OperationsBridge {
  /** First the kept tail, then every call that changes something. */
  observe(listener: StreamListener<Operation>): Subscription
}

export interface ActivityBridge {
  /** How busy the past of a range was; goes on with what is written until it is closed. */
  open(request: ActivityRequest, listener: StreamListener<ActivityItem>): Subscription
  /** The nearest revision that changed the range of an open activity. */
  find(request: ActivityFindRequest): Promise<Reply<ActivityFindReply>>
}

export interface Bridge {
  readonly app: AppBridge
  readonly connections: ConnectionsBridge
  readonly kv: KvBridge
  readonly files: FilesBridge
  readonly leases: LeasesBridge
  readonly query: QueryBridge
  readonly history: HistoryBridge
  readonly watch: WatchBridge
  readonly scan: ScanBridge
  readonly plans: PlansBridge
  readonly bin: BinBridge
  readonly activity: ActivityBridge
  readonly compare: CompareBridge
  readonly cluster: ClusterBridge
  readonly nodes: NodesBridge
  readonly settings: SettingsBridge
  readonly operations: OperationsBridge
}
