/**
 * The page on the fake bridge in a window of the same runtime that the app uses, so that the oldest browser that must
 * work is the one that is tested.
 */

import { createServer } from 'node:http'
import type { Server } from 'node:http'
import { readFile } from 'node:fs/promises'
import { extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { _electron } from 'playwright-core'
import type { ElectronApplication, Page } from 'playwright-core'
import { findElectronRuntime } from '../../../scripts/electron-runtime.mjs'
import { isRoot } from '../../../scripts/system-libraries.mjs'
import { closeDisplay, displayName } from '../app/launch.ts'

/** A window with the page; `open` shows it anew with other options. */
export interface PageWindow {
  readonly page: Page
  /** What the page wrote to its console as errors, and what it threw, since it was opened last. */
  readonly errors: string[]
  open(query?: string): Promise<Page>
  close(): Promise<void>
}

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.woff2': 'font/woff2',
  '.ttf': 'font/ttf',
}
/** The policy under which the app serves its page; see `src/main/page-protocol.ts`. */
const contentSecurityPolicy =
  "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self' 'unsafe-inline'; " +
  "font-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'"

/** Serves the page that was built before the tests, and opens a window on it. Needs a display. */
export async function openPageWindow(): Promise<PageWindow> {
  const server = await serve(fileURLToPath(new URL('../../../out/renderer-fake', import.meta.url)))
  const runtime = await findElectronRuntime()
  const windowDirectory = fileURLToPath(new URL('window', import.meta.url))
  const app = await _electron.launch({
    executablePath: runtime.executablePath,
    args: [...(isRoot() ? ['--no-sandbox'] : []), windowDirectory],
    env: { ...environment(), DISPLAY: await displayName() },
  })
  return pageWindow(app, server)
}

async function pageWindow(app: ElectronApplication, server: Server): Promise<PageWindow> {
  const page = await app.firstWindow()
  const errors: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.location().url.endsWith('favicon.ico'))
      errors.push(message.text())
  })
  page.on('pageerror', (error) => {
    errors.push(error.stack ?? error.message)
  })
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    page,
    errors,
    open: async (query = '') => {
      errors.length = 0
      await page.goto(`http://127.0.0.1:${String(port)}/index.html?${query}`)
      return page
    },
    close: async () => {
      await app.close()
      server.close()
      closeDisplay()
    },
  }
}

async function serve(root: string): Promise<Server> {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://page')
    const path = join(root, normalize(pathname))
    readFile(path).then(
      (content) => {
        response.writeHead(200, {
          'content-type': contentTypes[extname(path)] ?? 'application/octet-stream',
          'content-security-policy': contentSecurityPolicy,
        })
        response.end(content)
      },
      () => {
        response.writeHead(404)
        response.end()
      },
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}

function environment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      (entry): entry is [string, string] => entry[1] !== undefined,
    ),
  )
}
