/** Texts of the table of shortcuts. */
export const enShortcuts = {
  title: 'Keyboard shortcuts',
  search: 'Search actions and keys',
  none: 'Nothing matches',
  where:
    'What works in the view that is open, and what works in every list. Other views list their own.',
  columnAct: 'Action',
  columnKeys: 'Keys',
  groups: { lists: 'Lists', trees: 'Trees', columns: 'Names of columns', dialogs: 'Dialogs' },
  fixed: {
    move: 'Move in the list',
    open: 'Open',
    toggle: 'Choose, or no longer',
    extend: 'Choose up to there',
    selectAll: 'Choose all that is loaded',
    copy: 'Copy',
    delete: 'Delete what is chosen…',
    clear: 'Choose nothing',
    menu: 'Menu of the row',
    expand: 'Open the folder, or go into it',
    collapse: 'Close the folder, or go to its parent',
    expandLevel: 'Open all folders of the level',
    sort: 'Sort, again turns the order round',
    resize: 'Narrower, wider',
    moveColumn: 'Move the column',
    confirm: 'Run the main action of the form',
    close: 'Close without doing anything',
  },
} as const

export const shortcutCommands = {
  'view.shortcuts': 'Help: Keyboard shortcuts',
  'view.nextRegion': 'View: Next region',
  'view.previousRegion': 'View: Previous region',
} as const
