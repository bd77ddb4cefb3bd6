/* global process */
/** A window and nothing else: shows the page that a test serves. It stands in for the app, without its main process. */
const { app, BrowserWindow } = require('electron')

app.commandLine.appendSwitch('force-prefers-reduced-motion')
void app.whenReady().then(() => {
  const window = new BrowserWindow({
    width: 1280,
    height: 800,
    useContentSize: true,
    webPreferences: { sandbox: true, contextIsolation: true, nodeIntegration: false },
  })
  void window.loadURL(process.env['QUORATE_PAGE_URL'] ?? 'about:blank')
})
app.on('window-all-closed', () => app.quit())
