/** Puts the fake bridge where the preload would put the real one, then starts the page. Options come in the address. */

import { createFakeWorld } from '../../helpers/fake-bridge.ts'
import type { FakeWorld } from '../../helpers/fake-bridge.ts'

/** What this file needs of the browser: the tests are compiled without its types. */
const page = globalThis as unknown as { readonly location: { readonly search: string } }
const query = new URLSearchParams(page.location.search)
const theme = query.get('theme')
const world: FakeWorld = createFakeWorld({
  keyCount: Number(query.get('keys') ?? '100000'),
  isQuiet: query.has('quiet'),
  settings: {
    ...(theme === 'dark' || theme === 'light' || theme === 'contrast' ? { theme } : {}),
    ...(query.has('compact') ? { density: 'compact' as const } : {}),
  },
  isWithoutConnection: query.has('empty'),
  isFirstStart: !query.has('empty'),
})
Object.assign(globalThis, { bridge: world.bridge, fakeWorld: world })
await import('../../../src/renderer/main.ts')
