/** The views of the window. Addresses live in memory: nothing outside of the window can name one. */

import type { Component } from 'vue'
import { createMemoryHistory, createRouter } from 'vue-router'
import type { RouteMeta, RouteRecordRaw } from 'vue-router'

/** Names of the views, which are also the names of their routes. */
export type ViewName =
  | 'welcome'
  | 'connections'
  | 'keys'
  | 'bin'
  | 'watch'
  | 'query'
  | 'compare'
  | 'members'
  | 'nodes'
  | 'settings'

const loadKeysScreen = (): Promise<{ default: Component }> =>
  import('./screens/keys/KeysScreen.vue')

/** Begins to load the screen that a window nearly always shows first, while the window still asks what it is to show. */
export function loadFirstScreen(): void {
  loadKeysScreen().catch(() => {
    // The router loads it when it is shown, and says what is wrong then.
  })
}

/** The window's router. Each tab is one address. */
export const router = createRouter({
  history: createMemoryHistory(),
  routes: [
    { path: '/', name: 'start', component: () => import('./screens/start/StartScreen.vue') },
    route('welcome', () => import('./screens/welcome/WelcomeScreen.vue'), {}),
    route('connections', () => import('./screens/connections/ConnectionsScreen.vue'), {}),
    route('keys', loadKeysScreen, {
      hasSide: true,
      hasInspector: true,
    }),
    route('bin', () => import('./screens/bin/BinScreen.vue'), {}),
    route('watch', () => import('./screens/watch/WatchScreen.vue'), { hasSide: true }),
    route('query', () => import('./screens/query/QueryScreen.vue'), { hasSide: true }),
    route('compare', () => import('./screens/compare/CompareScreen.vue'), {}),
    route('members', () => import('./screens/members/MembersScreen.vue'), { hasSide: true }),
    route('nodes', () => import('./screens/nodes/NodesScreen.vue'), { hasSide: true }),
    route('settings', () => import('./screens/settings/SettingsScreen.vue'), {}),
  ],
})

declare module 'vue-router' {
  interface RouteMeta {
    /** The view puts something into the side bar. */
    readonly hasSide?: boolean
    /** The view puts something into the inspector. */
    readonly hasInspector?: boolean
  }
}

function route(
  name: ViewName,
  component: () => Promise<{ default: Component }>,
  meta: RouteMeta,
): RouteRecordRaw {
  return { name, path: `/${name}/:tabId`, component, props: true, meta }
}
