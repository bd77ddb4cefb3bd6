import { getBridge, unwrap } from './bridge.ts'

/** State of the page that outlives it, as the page's own text under a name. Losing it loses no work. */
export const pageStateApi = {
  load: (name: string): Promise<string | null> =>
    unwrap(getBridge().settings.loadPageState({ name })),
  save: (name: string, text: string): Promise<null> =>
    unwrap(getBridge().settings.savePageState({ name, text })),
} as const
