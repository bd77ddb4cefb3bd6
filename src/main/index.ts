/**
 * The app's main process: start and quit, in order.
 *
 * Start: flags, user data folder, one instance, page scheme, then (once Electron is ready) log, settings, connections,
 * local nodes, the router for the page's messages, the window, and what the flags or the first start ask for. Quit: local
 * nodes end in good order, connections close.
 */

import { app, BrowserWindow, clipboard, dialog, ipcMain, safeStorage, session } from 'electron'
import { join, resolve } from 'node:path'
import { systemClock } from '../core/io/system-clock.ts'
import { systemRandom } from '../core/io/system-random.ts'
import type { AppInfo } from '../preload/contract/app.ts'
import { AppCommands, installAppMenu } from './app-menu.ts'
import { appPathsIn, type AppPaths } from './app-paths.ts'
import { applyTheme, openWindow } from './app-window.ts'
import { ConnectionManager, playgroundConnectionId } from './connections/connection-manager.ts'
import { OperationLog } from './connections/operation-log.ts'
import { SecretStore } from './connections/secret-store.ts'
import { ProfileStore } from './connections/profile-store.ts'
import { registerCompareHandlers } from './ipc/compare-handlers.ts'
import { registerActivityHandlers } from './ipc/activity-handlers.ts'
import {
  registerAppHandlers,
  registerConnectionHandlers,
  registerNodeHandlers,
  registerOperationHandlers,
  registerSettingsHandlers,
} from './ipc/host-handlers.ts'
import { ChosenFiles } from './files/chosen-files.ts'
import { systemDialogs } from './files/system-dialogs.ts'
import { registerFileHandlers } from './ipc/file-handlers.ts'
import { IpcRouter } from './ipc/ipc-router.ts'
import { registerKvHandlers } from './ipc/kv-handlers.ts'
import { registerLeaseHandlers } from './ipc/lease-handlers.ts'
import { registerPlanHandlers } from './ipc/plan-handlers.ts'
import { registerQueryHandlers } from './ipc/query-handlers.ts'
import { registerScanHandlers } from './ipc/scan-handlers.ts'
import { registerStreamHandlers } from './ipc/stream-handlers.ts'
import { registerWatchRowsHandlers } from './ipc/watch-rows-handlers.ts'
import { StreamHub } from './ipc/stream-hub.ts'
import {
  LaunchArgumentError,
  parseLaunchArguments,
  type LaunchArguments,
} from './launch-arguments.ts'
import { LogFile } from './log-file.ts'
import { guardPages, guardSession } from './page-guard.ts'
import { isOwnPage, registerPageScheme, servePages } from './page-protocol.ts'
import { SettingsStore } from './settings-file.ts'
import { StoreHost } from './store-host/store-host.ts'
import { utilityFork } from './store-host/utility-fork.ts'
import { farewellTimeoutMs, WindowFarewell } from './window-farewell.ts'

/** Size of the local cluster of the first start. */
const firstStartNodes = 3
/** Quitting waits for local nodes at most this long; they lose nothing when they end with the app. */
const quitTimeoutMs = 3_500

/** The long-lived parts of the app. */
interface Parts {
  readonly log: LogFile
  readonly settings: SettingsStore
  readonly connections: ConnectionManager
  readonly operations: OperationLog
  readonly host: StoreHost
  readonly streams: StreamHub
  readonly commands: AppCommands
  readonly farewell: WindowFarewell
}

main()

function main(): void {
  const launch = readLaunchArguments()
  if (launch === undefined) return
  app.setName('Quorate')
  if (launch.userDataDirectory !== undefined) {
    app.setPath('userData', resolve(launch.userDataDirectory))
  }
  if (!app.requestSingleInstanceLock()) {
    process.stderr.write('Quorate is running already with this user data folder.\n')
    app.quit()
    return
  }
  // As root, where Chromium cannot sandbox, the launcher says so with a flag; everywhere else all pages are sandboxed.
  if (!app.commandLine.hasSwitch('no-sandbox')) app.enableSandbox()
  registerPageScheme()
  const paths = appPathsIn(app.getPath('userData'))
  const log = new LogFile(paths.logFile)
  endOnBugs(log)
  guardPages(app, log)
  void app.whenReady().then(() => {
    start(launch, paths, log)
  })
}

function readLaunchArguments(): LaunchArguments | undefined {
  try {
    return parseLaunchArguments(process.argv)
  } catch (error) {
    if (!(error instanceof LaunchArgumentError)) throw error
    process.stderr.write(`${error.message}\n`)
    app.exit(2)
    return undefined
  }
}

/** A bug ends the app: going on with a state that should not exist could write it into somebody's cluster. */
function endOnBugs(log: LogFile): void {
  const end = (error: unknown): void => {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    log.error('the app ends because of a bug', { error: text })
    process.stderr.write(`${text}\n`)
    app.exit(1)
  }
  process.on('uncaughtException', end)
  process.on('unhandledRejection', end)
}

function start(launch: LaunchArguments, paths: AppPaths, log: LogFile): void {
  log.info('started', {
    version: app.getVersion(),
    electron: process.versions.electron,
    node: process.versions.node,
  })
  guardSession(session.defaultSession, log)
  servePages(resolve(__dirname, '..', 'renderer'))
  const parts = buildParts(paths, log)
  const initial = openInitialConnection(launch, parts)
  registerHandlers(parts, () => appInfo(launch, paths, initial))
  showWindow(parts)
  installAppMenu(parts.commands)
  parts.settings.onChange(applyTheme)
  app.on('second-instance', () => {
    const window = BrowserWindow.getAllWindows()[0]
    window?.restore()
    window?.focus()
  })
  app.on('activate', () => {
    if (BrowserWindow.getAllWindows().length === 0) showWindow(parts)
  })
  app.on('window-all-closed', () => {
    if (process.platform !== 'darwin') app.quit()
  })
  quitInOrder(parts)
}

function buildParts(paths: AppPaths, log: LogFile): Parts {
  const environment = { clock: systemClock, random: systemRandom }
  const connections = new ConnectionManager(environment, {
    profiles: new ProfileStore(paths.profilesFile, log),
    secrets: new SecretStore(paths.secretsFile, safeStorage, log),
  })
  const host = new StoreHost({
    clock: systemClock,
    logger: log,
    fork: utilityFork(join(__dirname, 'store-process.cjs')),
    directory: paths.playgroundDirectory,
    connect: (endpoints) => connections.openPlayground(endpoints).description.id,
    onNodesChanged: () => {
      connections.find(playgroundConnectionId)?.probeSoon()
    },
  })
  return {
    log,
    settings: new SettingsStore(paths, log),
    connections,
    operations: new OperationLog(systemClock),
    host,
    streams: new StreamHub(systemClock),
    commands: new AppCommands(),
    farewell: new WindowFarewell(systemClock),
  }
}

interface InitialConnection {
  readonly connectionId: Promise<string | undefined>
  readonly isFirstStart: boolean
}

/** What the flags ask for; without flags and saved connections, the local cluster. */
function openInitialConnection(launch: LaunchArguments, parts: Parts): InitialConnection {
  const { connections, host, log } = parts
  const isFirstStart =
    launch.connectEndpoints === undefined &&
    launch.playgroundSize === undefined &&
    !connections.hasSaved()
  const open = async (): Promise<string | undefined> => {
    const size = launch.playgroundSize ?? (isFirstStart ? firstStartNodes : undefined)
    const playground = size === undefined ? undefined : await host.startPlayground(size)
    if (launch.connectEndpoints === undefined) return playground?.connectionId
    const opened = await connections.openNew({ endpoints: launch.connectEndpoints, isSaved: false })
    return opened.id
  }
  const connectionId = open().catch((error: unknown) => {
    log.error('the first connection could not be opened', { error: String(error) })
    return undefined
  })
  return { connectionId, isFirstStart }
}

async function appInfo(
  launch: LaunchArguments,
  paths: AppPaths,
  initial: InitialConnection,
): Promise<AppInfo> {
  const initialConnectionId = await initial.connectionId
  return {
    productName: 'Quorate',
    version: app.getVersion(),
    electronVersion: process.versions.electron,
    chromiumVersion: process.versions.chrome,
    nodeVersion: process.versions.node,
    platform: process.platform,
    userDataDirectory: paths.userDataDirectory,
    launchArguments: launch.written,
    ...(initialConnectionId === undefined ? {} : { initialConnectionId }),
    isFirstStart: initial.isFirstStart,
  }
}

function registerHandlers(parts: Parts, info: () => Promise<AppInfo>): void {
  const { connections, commands, farewell, host, log, operations, settings, streams } = parts
  const router = new IpcRouter({ source: ipcMain, streams, logger: log, isOwnPage })
  registerAppHandlers(router, {
    info,
    // Newer versions of Electron answer with a promise, older ones with nothing.
    writeClipboard: async (text) => {
      await clipboard.writeText(text)
    },
    onCommand: (listener) => commands.onCommand(listener),
    onClosing: (listener) => farewell.onClosing(listener),
    pageIsReady: () => {
      farewell.pageIsReady()
    },
  })
  registerConnectionHandlers(router, connections, choosePem)
  registerKvHandlers(router, { connections, operations })
  registerLeaseHandlers(router, { connections, operations })
  registerQueryHandlers(router, { clock: systemClock, connections })
  registerStreamHandlers(router, { clock: systemClock, connections })
  registerWatchRowsHandlers(router, { connections })
  registerScanHandlers(router, connections)
  registerActivityHandlers(router, { clock: systemClock, connections })
  registerFileHandlers(router, new ChosenFiles(systemDialogs))
  registerPlanHandlers(router, { clock: systemClock, connections, operations })
  registerCompareHandlers(router, { clock: systemClock, connections })
  registerNodeHandlers(router, host)
  registerSettingsHandlers(router, settings)
  registerOperationHandlers(router, operations)
}

/** Lets the user choose a certificate or key; undefined when they do not. */
async function choosePem(): Promise<string | undefined> {
  const { filePaths } = await dialog.showOpenDialog({
    properties: ['openFile', 'showHiddenFiles'],
    filters: [
      { name: 'PEM', extensions: ['pem', 'crt', 'cer', 'key'] },
      { name: '*', extensions: ['*'] },
    ],
  })
  return filePaths[0]
}

function showWindow(parts: Parts): void {
  const preloadPath = join(__dirname, '..', 'preload', 'index.cjs')
  const window = openWindow(preloadPath, parts.settings.get(), parts.log)
  closeInOrder(window, parts)
  const { webContents } = window
  const pageId = webContents.id
  webContents.once('destroyed', () => {
    parts.streams.closePage(pageId)
  })
  webContents.on('render-process-gone', (_event, details) => {
    parts.log.error('the page ended', { reason: details.reason, exitCode: details.exitCode })
    parts.streams.closePage(pageId)
    if (details.reason === 'clean-exit' || webContents.isDestroyed()) return
    webContents.reload()
    void dialog.showMessageBox(window, {
      type: 'warning',
      message: 'The window had to be loaded anew',
      detail: 'Nothing was lost in any cluster. Text that was not saved is gone.',
    })
  })
}

/** The page keeps its state first: what it sent while its window closes would not arrive. */
function closeInOrder(window: BrowserWindow, parts: Parts): void {
  const { farewell } = parts
  window.on('close', (event) => {
    // An app that quits has asked the page before.
    if (farewell.isOver || !farewell.hasPage) return
    event.preventDefault()
    void farewell.ask().then(() => {
      if (!window.isDestroyed()) window.close()
    })
  })
}

function quitInOrder(parts: Parts): void {
  let isDone = false
  app.on('before-quit', (event) => {
    if (isDone) return
    event.preventDefault()
    const finish = (): void => {
      if (isDone) return
      isDone = true
      parts.connections.dispose()
      app.quit()
    }
    systemClock.setTimer(farewellTimeoutMs + quitTimeoutMs, finish)
    void parts.farewell
      .ask()
      .then(() => Promise.all([parts.settings.settled(), parts.host.stopAll()]))
      .then(finish)
  })
}
