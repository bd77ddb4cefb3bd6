/** The native menu. Its commands run in the page, which also owns their shortcuts; the menu only shows those. */

import { Menu, type MenuItemConstructorOptions } from 'electron'
import type { AppCommand } from '../preload/contract/app.ts'

/** Hands commands of the menu to whoever listens. */
export class AppCommands {
  private readonly listeners = new Set<(command: AppCommand) => void>()

  onCommand(listener: (command: AppCommand) => void): () => void {
    this.listeners.add(listener)
    return () => {
      this.listeners.delete(listener)
    }
  }

  run(commandId: string): void {
    for (const listener of this.listeners) listener({ commandId })
  }
}

export function installAppMenu(commands: AppCommands): void {
  const command = (
    label: string,
    commandId: string,
    accelerator: string,
  ): MenuItemConstructorOptions => ({
    label,
    accelerator,
    // The page hears the keys itself, and knows whether a text field or an input method wants them.
    registerAccelerator: false,
    click: () => {
      commands.run(commandId)
    },
  })
  const template: MenuItemConstructorOptions[] = [
    ...(process.platform === 'darwin' ? [{ role: 'appMenu' as const }] : []),
    {
      label: 'File',
      submenu: [
        command('New Key…', 'keys.new', 'CmdOrCtrl+N'),
        command('New Connection…', 'view.connections', 'CmdOrCtrl+Shift+N'),
        { type: 'separator' },
        command('Close Tab', 'tab.close', 'CmdOrCtrl+W'),
        { type: 'separator' },
        { role: 'quit' },
      ],
    },
    { role: 'editMenu' },
    {
      label: 'View',
      submenu: [
        command('Command Palette…', 'view.palette', 'CmdOrCtrl+K'),
        command('Toggle Side Bar', 'view.side', 'CmdOrCtrl+B'),
        command('Toggle Inspector', 'view.inspector', 'CmdOrCtrl+I'),
        { type: 'separator' },
        { role: 'resetZoom' },
        { role: 'zoomIn' },
        { role: 'zoomOut' },
        { role: 'togglefullscreen' },
      ],
    },
    { role: 'windowMenu' },
    {
      role: 'help',
      submenu: [command('Keyboard Shortcuts', 'view.shortcuts', 'F1')],
    },
  ]
  Menu.setApplicationMenu(Menu.buildFromTemplate(template))
}
