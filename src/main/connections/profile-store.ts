/** Saved clusters on disk. */

import type { Logger } from '../../core/base/logger.ts'
import { JsonFile } from '../json-file.ts'
import {
  profilesFileSchema,
  type ConnectionProfile,
  type ProfilesFileContent,
} from './connection-profile.ts'

export class ProfileStore {
  private readonly file: JsonFile<ProfilesFileContent>
  private profiles: readonly ConnectionProfile[]

  constructor(path: string, logger: Logger) {
    this.file = new JsonFile(path, profilesFileSchema, logger)
    this.profiles = this.file.load()?.profiles ?? []
  }

  list(): readonly ConnectionProfile[] {
    return this.profiles
  }

  find(id: string): ConnectionProfile | undefined {
    return this.profiles.find((profile) => profile.id === id)
  }

  /** Adds a profile, or replaces the one with its id. */
  put(profile: ConnectionProfile): Promise<void> {
    const others = this.profiles.filter((other) => other.id !== profile.id)
    return this.replace([...others, profile])
  }

  remove(id: string): Promise<void> {
    return this.replace(this.profiles.filter((profile) => profile.id !== id))
  }

  private replace(profiles: readonly ConnectionProfile[]): Promise<void> {
    this.profiles = profiles
    return this.file.save({ schemaVersion: 1, profiles: [...profiles] })
  }
}
