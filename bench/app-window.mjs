/** The app in a real Electron, connected to one server, for the benchmarks of the window. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { _electron } from 'playwright-core'
import { findElectronRuntime, rootDirectory } from '../scripts/electron-runtime.mjs'
import { isRoot } from '../scripts/system-libraries.mjs'

/** Launches the built app with files of its own; whoever launches it closes it and removes the folder. */
export async function launchWindow(port, name) {
  const runtime = await findElectronRuntime()
  const folder = mkdtempSync(join(tmpdir(), `bench-${name}-`))
  const app = await _electron.launch({
    executablePath: runtime.executablePath,
    args: [
      ...(isRoot() ? ['--no-sandbox'] : []),
      rootDirectory,
      `--user-data-dir=${folder}`,
      `--connect=http://127.0.0.1:${port}`,
    ],
  })
  const page = await app.firstWindow()
  await page.setViewportSize({ width: 1440, height: 900 })
  return { app, page, folder }
}
