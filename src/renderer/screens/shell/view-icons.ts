import type { ViewName } from '../../router.ts'

/** The icon of each view, in the activity bar, the tabs and the palette. */
export const viewIcons: Readonly<Record<ViewName, string>> = {
  welcome: 'flag',
  connections: 'connections',
  keys: 'key',
  bin: 'trash',
  watch: 'watch',
  query: 'query',
  compare: 'diff',
  members: 'members',
  nodes: 'playground',
  settings: 'settings',
}
