/** Where the app keeps its files. Everything lies below the user data folder, which `--user-data-dir` may move. */

import { join } from 'node:path'

export interface AppPaths {
  readonly userDataDirectory: string
  readonly settingsFile: string
  readonly pageStateFile: string
  readonly profilesFile: string
  /** Encrypted passwords. */
  readonly secretsFile: string
  readonly logFile: string
  /** Holds one folder for each local cluster. */
  readonly playgroundDirectory: string
}

/** The paths below one user data folder. */
export function appPathsIn(userDataDirectory: string): AppPaths {
  return {
    userDataDirectory,
    settingsFile: join(userDataDirectory, 'settings.json'),
    pageStateFile: join(userDataDirectory, 'page-state.json'),
    profilesFile: join(userDataDirectory, 'connections.json'),
    secretsFile: join(userDataDirectory, 'secrets.json'),
    logFile: join(userDataDirectory, 'logs', 'quorate.log'),
    playgroundDirectory: join(userDataDirectory, 'playground'),
  }
}
