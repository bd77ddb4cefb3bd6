/** The dialogs of the system for choosing files. */

import { BrowserWindow, dialog } from 'electron'
import type { FileDialogs } from './chosen-files.ts'

/** The real dialogs, in front of the window that has the focus. */
export const systemDialogs: FileDialogs = {
  chooseSave: async (suggestedName, filters) => {
    const options = { defaultPath: suggestedName, filters: writable(filters) }
    const window = owner()
    const { canceled, filePath } =
      window === undefined
        ? await dialog.showSaveDialog(options)
        : await dialog.showSaveDialog(window, options)
    return canceled || filePath === '' ? undefined : filePath
  },
  chooseOpen: async (filters) => {
    const options = { properties: ['openFile' as const], filters: writable(filters) }
    const window = owner()
    const { canceled, filePaths } =
      window === undefined
        ? await dialog.showOpenDialog(options)
        : await dialog.showOpenDialog(window, options)
    return canceled ? undefined : filePaths[0]
  },
}

function owner(): ReturnType<typeof BrowserWindow.getAllWindows>[number] | undefined {
  return BrowserWindow.getFocusedWindow() ?? BrowserWindow.getAllWindows()[0]
}

function writable(
  filters: readonly { readonly name: string; readonly extensions: readonly string[] }[],
): { name: string; extensions: string[] }[] {
  return filters.map(({ name, extensions }) => ({ name, extensions: [...extensions] }))
}
