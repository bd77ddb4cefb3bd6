/** The user's settings, and small states of the page that are kept for the next start. */

import { z } from 'zod'
import type { Logger } from '../core/base/logger.ts'
import {
  pageStateSchema,
  settingsSchema,
  type PageState,
  type Settings,
  type SettingsPatch,
} from '../preload/contract/settings.ts'
import type { AppPaths } from './app-paths.ts'
import { JsonFile } from './json-file.ts'

const settingsFileSchema = z.object({
  schemaVersion: z.literal(1),
  // What a newer version of the app wrote is kept, so that going back and forth loses nothing.
  settings: z.looseObject(settingsSchema.shape),
})
type SettingsFileContent = z.infer<typeof settingsFileSchema>

const pageStatesSchema = z.array(pageStateSchema)

/** Names of page states; more than a page ever uses. */
const pageStatesMax = 64

export class SettingsStore {
  private readonly file: JsonFile<SettingsFileContent>
  private readonly stateFile: JsonFile<PageState[]>
  private readonly listeners = new Set<(settings: Settings) => void>()
  private content: SettingsFileContent
  private readonly states: Map<string, PageState>

  constructor(paths: AppPaths, logger: Logger) {
    this.file = new JsonFile(paths.settingsFile, settingsFileSchema, logger)
    this.stateFile = new JsonFile(paths.pageStateFile, pageStatesSchema, logger)
    this.content = this.file.load() ?? { schemaVersion: 1, settings: settingsSchema.parse({}) }
    this.states = new Map((this.stateFile.load() ?? []).map((state) => [state.name, state]))
  }

  get(): Settings {
    const known = Object.keys(settingsSchema.shape).map((name) => [
      name,
      this.content.settings[name],
    ])
    return settingsSchema.parse(Object.fromEntries(known))
  }

  async update(patch: SettingsPatch): Promise<Settings> {
    const given = Object.entries(patch).filter(([, value]) => value !== undefined)
    const settings = { ...this.content.settings, ...Object.fromEntries(given) }
    this.content = { ...this.content, settings }
    const current = this.get()
    for (const listener of this.listeners) listener(current)
    await this.file.save(this.content)
    return current
  }

  onChange(listener: (settings: Settings) => void): () => void {
    this.listeners.add(listener)
    return () => {
      this.listeners.delete(listener)
    }
  }

  findPageState(name: string): string | null {
    return this.states.get(name)?.text ?? null
  }

  /** Resolves when everything given so far is on the disk, or was reported as not saved. */
  async settled(): Promise<void> {
    await Promise.all([this.file.settled(), this.stateFile.settled()])
  }

  async savePageState(state: PageState): Promise<void> {
    this.states.delete(state.name)
    this.states.set(state.name, state)
    for (const name of [...this.states.keys()].slice(0, -pageStatesMax)) this.states.delete(name)
    await this.stateFile.save([...this.states.values()])
  }
}
