/** Keys that belong to a control and not to a command: lists, trees, columns, dialogs. Texts under `shortcuts.fixed`. */

/** A group of the table with the name of each key's text. */
export const fixedShortcuts: readonly {
  readonly group: 'lists' | 'trees' | 'columns' | 'dialogs'
  readonly rows: readonly { readonly text: string; readonly shortcuts: readonly string[] }[]
}[] = [
  {
    group: 'lists',
    rows: [
      { text: 'move', shortcuts: ['Up', 'Down', 'PageUp', 'PageDown', 'Home', 'End'] },
      { text: 'open', shortcuts: ['Enter'] },
      { text: 'toggle', shortcuts: ['Space'] },
      { text: 'extend', shortcuts: ['Shift+Up', 'Shift+Down'] },
      { text: 'selectAll', shortcuts: ['Mod+A'] },
      { text: 'copy', shortcuts: ['Mod+C'] },
      { text: 'delete', shortcuts: ['Delete', 'Mod+Backspace'] },
      { text: 'clear', shortcuts: ['Escape'] },
      { text: 'menu', shortcuts: ['Shift+F10'] },
    ],
  },
  {
    group: 'trees',
    rows: [
      { text: 'expand', shortcuts: ['Right'] },
      { text: 'collapse', shortcuts: ['Left'] },
      { text: 'expandLevel', shortcuts: ['*'] },
    ],
  },
  {
    group: 'columns',
    rows: [
      { text: 'sort', shortcuts: ['Enter'] },
      { text: 'resize', shortcuts: ['Shift+Left', 'Shift+Right'] },
      { text: 'moveColumn', shortcuts: ['Mod+Shift+Left', 'Mod+Shift+Right'] },
    ],
  },
  {
    group: 'dialogs',
    rows: [
      { text: 'confirm', shortcuts: ['Mod+Enter'] },
      { text: 'close', shortcuts: ['Escape'] },
    ],
  },
]
