/** The window: sandboxed, isolated, showing our own page. */

import { BrowserWindow, nativeTheme } from 'electron'
import type { Logger } from '../core/base/logger.ts'
import type { Settings } from '../preload/contract/settings.ts'
import { startPageUrl } from './page-protocol.ts'

const initialSize = { width: 1_440, height: 900 }
/** Below this the page's parts do not fit any more. */
const sizeMin = { minWidth: 960, minHeight: 640 }
/** The page's own ground in both themes, so that nothing flashes before its first paint. */
const grounds = { light: '#eef0f4', dark: '#0c0e12' }

/** Opens the window; it appears once the page has something to show. */
export function openWindow(preloadPath: string, settings: Settings, logger: Logger): BrowserWindow {
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
  window.loadURL(startPageUrl).catch((error: unknown) => {
    // A load that something else on the page broke off ends here too, and then there is nothing to mend.
    logger.warn('the page was not loaded to its end', { error: String(error) })
  })
  return window
}

/** Makes native parts (menus, dialogs) follow the page's theme. High contrast is a dark theme of the page's own. */
export function applyTheme({ theme }: Settings): void {
  nativeTheme.themeSource = theme === 'contrast' ? 'dark' : theme
}
