/** What pages may not do: leave, open windows, embed other pages, ask for permissions, download. */

import type { App, Session, WebContents } from 'electron'
import type { Logger } from '../core/base/logger.ts'
import { isOwnPage } from './page-protocol.ts'

/** Guards every page from its first moment on, whoever makes it. */
export function guardPages(app: App, logger: Logger): void {
  app.on('web-contents-created', (_event, contents) => {
    guardContents(contents, logger)
  })
}

/** Denies every permission of a session; text is put on the clipboard by the main process. */
export function guardSession(session: Session, logger: Logger): void {
  session.setPermissionRequestHandler((_contents, permission, answer) => {
    logger.warn('a permission was denied', { permission })
    answer(false)
  })
  session.setPermissionCheckHandler(() => false)
  session.on('will-download', (event) => {
    logger.warn('a download was denied')
    event.preventDefault()
  })
}

function guardContents(contents: WebContents, logger: Logger): void {
  const denyForeign = (event: { preventDefault(): void }, url: string): void => {
    if (isOwnPage(url)) return
    logger.warn('a navigation was denied', { url: url.slice(0, 200) })
    event.preventDefault()
  }
  contents.on('will-navigate', (event, url) => {
    denyForeign(event, url)
  })
  contents.on('will-redirect', (event, url) => {
    denyForeign(event, url)
  })
  contents.on('will-attach-webview', (event) => {
    logger.warn('a webview was denied')
    event.preventDefault()
  })
  contents.setWindowOpenHandler(({ url }) => {
    logger.warn('a window was denied', { url: url.slice(0, 200) })
    return { action: 'deny' }
  })
}
