/** The scheme `app://`, from which the app's own pages come; nothing else is ever loaded. */

import { protocol } from 'electron'
import { readFile } from 'node:fs/promises'
import { extname, join, normalize, sep } from 'node:path'

const scheme = 'app'
const origin = `${scheme}://quorate`

/** Address of the first page. */
export const startPageUrl = `${origin}/index.html`

/** Whether a URL is one of our own pages. */
export function isOwnPage(url: string): boolean {
  return url.startsWith(`${origin}/`)
}

/** Inline style is for the editor, which positions its lines that way; inline script and eval never. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "worker-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "font-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** The kinds of files that a build puts out; anything else is not served. */
const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ttf': 'font/ttf',
  '.woff2': 'font/woff2',
}

/** Must run before the app is ready. */
export function registerPageScheme(): void {
  protocol.registerSchemesAsPrivileged([
    { scheme, privileges: { standard: true, secure: true, supportFetchAPI: true } },
  ])
}

/** Serves the files of one folder, and nothing outside of it. */
export function servePages(directory: string): void {
  protocol.handle(scheme, async (request) => {
    const path = findFile(directory, request.url)
    if (path === undefined) return new Response('not found', { status: 404 })
    let content: Buffer
    try {
      content = await readFile(path)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error)) throw error
      return new Response('not found', { status: 404 })
    }
    return new Response(new Uint8Array(content), {
      headers: {
        'content-type': contentTypes[extname(path)] ?? 'application/octet-stream',
        'content-security-policy': contentSecurityPolicy,
        'x-content-type-options': 'nosniff',
        'cross-origin-opener-policy': 'same-origin',
      },
    })
  })
}

/** The file behind a URL; undefined for another host, a kind that is not served, or a way out of the folder. */
export function findFile(directory: string, url: string): string | undefined {
  if (!isOwnPage(url)) return undefined
  let pathname: string
  try {
    pathname = decodeURIComponent(new URL(url).pathname)
  } catch (error) {
    if (error instanceof URIError || error instanceof TypeError) return undefined
    throw error
  }
  const path = normalize(join(directory, pathname))
  const isInside = path.startsWith(directory.endsWith(sep) ? directory : directory + sep)
  if (!isInside || path.includes('\0') || contentTypes[extname(path)] === undefined)
    return undefined
  return path
}
