import { mkdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import { silentLogger, type Logger } from '../base/logger.ts'
import type { Backend, BackendFactory } from './backend.ts'
import { openLmdbBackend } from './lmdb-backend.ts'
import { syncPath } from './lmdb-copy.ts'
import { lmdbDataFileName } from './lmdb-environment.ts'

/** Opens, builds and replaces LMDB environments, one directory each. */
export class LmdbBackendFactory implements BackendFactory {
  private readonly clock: Clock
  private readonly logger: Logger

  constructor(dependencies: { readonly clock: Clock; readonly logger?: Logger }) {
    this.clock = dependencies.clock
    this.logger = dependencies.logger ?? silentLogger
  }

  async open(directory: string): Promise<Backend> {
    await mkdir(directory, { recursive: true })
    const backend = openLmdbBackend(directory, this.clock)
    // The log is cut on the word of this database: its names must be as durable as its content.
    await syncPath(directory)
    await syncPath(dirname(directory))
    this.logger.info('database opened', { directory, ...backend.size() })
    return backend
  }

  async build(directory: string, fill: (backend: Backend) => Promise<void>): Promise<void> {
    await rm(directory, { recursive: true, force: true })
    await mkdir(directory, { recursive: true })
    const backend = openLmdbBackend(directory, this.clock)
    try {
      await fill(backend)
      await backend.close()
      await syncPath(directory)
    } catch (error) {
      await backend.close()
      await rm(directory, { recursive: true, force: true })
      throw error
    }
  }

  async replace(directories: {
    readonly sourceDirectory: string
    readonly targetDirectory: string
  }): Promise<void> {
    const { sourceDirectory, targetDirectory } = directories
    await mkdir(targetDirectory, { recursive: true })
    await rename(join(sourceDirectory, lmdbDataFileName), join(targetDirectory, lmdbDataFileName))
    await syncPath(targetDirectory)
    await rm(sourceDirectory, { recursive: true, force: true })
    await syncPath(dirname(sourceDirectory))
  }

  async remove(directory: string): Promise<void> {
    await rm(directory, { recursive: true, force: true })
    const parent = dirname(directory)
    if (await isDirectory(parent)) await syncPath(parent)
  }
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false
    throw error
  }
}
