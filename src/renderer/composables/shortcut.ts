/** Shortcuts as data: `Mod+Shift+P`. `Mod` is Cmd on macOS and Ctrl elsewhere. */

const keyNames: Readonly<Record<string, string>> = {
  ...{ Left: '←', Right: '→', Up: '↑', Down: '↓' },
  ...{ Comma: ',', Slash: '/', PageUp: 'Page Up', PageDown: 'Page Down', Escape: 'Esc' },
}

const isMac = (): boolean => navigator.userAgent.includes('Mac OS X')

/** A shortcut as it is written on the screen. */
export function shortcutText(shortcut: string): string {
  return shortcut.replace('Mod', isMac() ? 'Cmd' : 'Ctrl').replaceAll('+', ' ')
}

/** The keys of a shortcut, each by the name that is printed on this machine's keyboard. */
export function shortcutKeys(shortcut: string): readonly string[] {
  const modifiers: Readonly<Record<string, string>> = isMac()
    ? { Mod: 'Cmd', Alt: 'Option' }
    : { Mod: 'Ctrl' }
  return shortcut.split('+').map((part) => modifiers[part] ?? keyNames[part] ?? part)
}

/** Whether Cmd is held on macOS, and Ctrl elsewhere. */
export function isModHeld(event: KeyboardEvent | MouseEvent): boolean {
  return isMac() ? event.metaKey : event.ctrlKey
}

/** Whether a key press is the shortcut. */
export function isShortcut(event: KeyboardEvent, shortcut: string): boolean {
  const parts = shortcut.split('+')
  const key = parts.at(-1) ?? ''
  return (
    sameKey(event, key) &&
    isModHeld(event) === parts.includes('Mod') &&
    event.altKey === parts.includes('Alt') &&
    event.shiftKey === parts.includes('Shift')
  )
}

/** Runs something at a shortcut inside of an element, and keeps the key from everything else. */
export function atShortcut(shortcut: string, run: () => unknown): (event: KeyboardEvent) => void {
  return (event) => {
    if (event.isComposing || !isShortcut(event, shortcut)) return
    event.preventDefault()
    event.stopPropagation()
    run()
  }
}

/** True while a text field has the focus: single letters and Space then belong to it. */
export function isTyping(event: KeyboardEvent): boolean {
  const target = event.target
  if (!(target instanceof HTMLElement)) return false
  return target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName)
}

function sameKey(event: KeyboardEvent, key: string): boolean {
  const named: Readonly<Record<string, string>> = {
    Left: 'ArrowLeft',
    Right: 'ArrowRight',
    Up: 'ArrowUp',
    Down: 'ArrowDown',
    Comma: ',',
    Slash: '/',
  }
  const wanted = named[key] ?? key
  return event.key.toLowerCase() === wanted.toLowerCase()
}
