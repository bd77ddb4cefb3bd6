/** The window: sandboxed, isolated, showing our own page. */

import { BrowserWindow, nativeTheme } from 'electron'
import type { Settings } from '../preload/contract/settings.ts'
import { startPageUrl } from './page-protocol.ts'

const initialSize = { width: 1_440, height: 900 }
/** Below this the page's parts do not fit any more. */
const sizeMin = { minWidth: 960, minHeight: 640 }
/** The page's own ground in both themes, so that nothing flashes before its first paint. */
const grounds = { light: '#eef0f4', dark: '#0c0e12' }

/** Opens the window; it appears once the page has something to show. */
export function openWindow(preloadPath: string, settings: Settings): BrowserWindow {
  applyTheme(settings)
  const window = new BrowserWindow({
    ...initialSize,
    ...sizeMin,
    show: false,
    title: 'Quorate',
    autoHideMenuBar: true,
    backgroundColor: nativeTheme.shouldUseDarkColors ? grounds.dark : grounds.light,
    webPreferences: {
      preload: preloadPath,
      contextIsolation: true,
      sandbox: true,
      nodeIntegration: false,
      nodeIntegrationInWorker: false,
      nodeIntegrationInSubFrames: false,
      webSecurity: true,
      webviewTag: false,
      spellcheck: false,
    },
  })
  window.once('ready-to-show', () => {
    window.show()
  })
  void window.loadURL(startPageUrl)
  return window
}

/** Makes native parts (menus, dialogs) follow the page's theme. High contrast is a dark theme of the page's own. */
export function applyTheme({ theme }: Settings): void {
  nativeTheme.themeSource = theme === 'contrast' ? 'dark' : theme
}
