/** The program itself: versions, how it was launched, commands from the native menu, clipboard. */

import { z } from 'zod'
import { clipboardTextUnitsMax } from './limits.ts'

/** What the program is and how it was launched. */
export interface AppInfo {
  readonly productName: string
  readonly version: string
  readonly electronVersion: string
  readonly chromiumVersion: string
  readonly nodeVersion: string
  /** `linux`, `darwin` or `win32`. */
  readonly platform: string
  readonly userDataDirectory: string
  /** Flags given by the user, as written. */
  readonly launchArguments: readonly string[]
  /** The connection that the main process opened at start, to be shown first; absent when there is none. */
  readonly initialConnectionId?: string
  /** Whether that connection is the local cluster that starts when nothing was saved. */
  readonly isFirstStart: boolean
}

/** A command chosen in the native menu, for example `view.palette`. The page runs it as if its shortcut was pressed. */
export interface AppCommand {
  readonly commandId: string
}

/** The window is about to close: what the page wants to find again is to be saved now. */
export interface ClosingNotice {
  /** The window waits for `readyToClose` at most this long. */
  readonly timeoutMs: number
}

export const clipboardRequestSchema = z
  .strictObject({ text: z.string().max(clipboardTextUnitsMax) })
  .readonly()
export type ClipboardRequest = z.infer<typeof clipboardRequestSchema>
