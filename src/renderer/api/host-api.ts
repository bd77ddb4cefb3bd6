import type { AppInfo } from '../../preload/contract/app.ts'
import type {
  ChosenFile,
  ConnectionInfo,
  LogInRequest,
  OpenConnectionRequest,
  UnlockRequest,
  UserAccess,
} from '../../preload/contract/connection.ts'
import type { PlaygroundInfo } from '../../preload/contract/node.ts'
import type {
  RevisionAtReply,
  RevisionAtRequest,
  RevisionTime,
  RevisionTimesRequest,
} from '../../preload/contract/revision-time.ts'
import type { Settings, SettingsPatch } from '../../preload/contract/settings.ts'
import { getBridge, unwrap } from './bridge.ts'

/** The program and its settings. */
export const appApi = {
  info: (): Promise<AppInfo> => unwrap(getBridge().app.info()),
  writeClipboard: (text: string): Promise<null> => unwrap(getBridge().app.writeClipboard({ text })),
  readyToClose: (): Promise<null> => unwrap(getBridge().app.readyToClose()),
  settings: (): Promise<Settings> => unwrap(getBridge().settings.get()),
  updateSettings: (patch: SettingsPatch): Promise<Settings> =>
    unwrap(getBridge().settings.update(patch)),
  /** Text that was kept under this name, or null. */
  loadPageState: (name: string): Promise<string | null> =>
    unwrap(getBridge().settings.loadPageState({ name })),
  savePageState: (name: string, text: string): Promise<null> =>
    unwrap(getBridge().settings.savePageState({ name, text })),
} as const

/** Saved and open clusters. */
export const connectionApi = {
  list: (): Promise<readonly ConnectionInfo[]> => unwrap(getBridge().connections.list()),
  open: (request: OpenConnectionRequest): Promise<ConnectionInfo> =>
    unwrap(getBridge().connections.open(request)),
  openSaved: (connectionId: string): Promise<ConnectionInfo> =>
    unwrap(getBridge().connections.openSaved({ connectionId })),
  close: (connectionId: string): Promise<null> =>
    unwrap(getBridge().connections.close({ connectionId })),
  remove: (connectionId: string): Promise<null> =>
    unwrap(getBridge().connections.remove({ connectionId })),
  lock: (connectionId: string): Promise<null> =>
    unwrap(getBridge().connections.lock({ connectionId })),
  unlock: (request: UnlockRequest): Promise<null> =>
    unwrap(getBridge().connections.unlock(request)),
  times: (request: RevisionTimesRequest): Promise<readonly RevisionTime[]> =>
    unwrap(getBridge().connections.times(request)),
  revisionAt: (request: RevisionAtRequest): Promise<RevisionAtReply> =>
    unwrap(getBridge().connections.revisionAt(request)),
  logIn: (request: LogInRequest): Promise<null> => unwrap(getBridge().connections.logIn(request)),
  access: (connectionId: string): Promise<UserAccess | null> =>
    unwrap(getBridge().connections.access({ connectionId })),
  chooseFile: (): Promise<ChosenFile> => unwrap(getBridge().connections.chooseFile()),
} as const

/** Nodes of the local cluster. */
export const nodeApi = {
  startPlayground: (size: number): Promise<PlaygroundInfo> =>
    unwrap(getBridge().nodes.startPlayground({ size })),
  start: (nodeName: string): Promise<PlaygroundInfo> =>
    unwrap(getBridge().nodes.start({ nodeName })),
  stop: (nodeName: string): Promise<PlaygroundInfo> => unwrap(getBridge().nodes.stop({ nodeName })),
  kill: (nodeName: string): Promise<PlaygroundInfo> => unwrap(getBridge().nodes.kill({ nodeName })),
} as const
