import { assert } from '../base/assert.ts'

/** An exclusive claim on a data directory. It ends with `release`, or with the process however that dies. */
export interface DirectoryLock {
  release(): Promise<void>
}

/**
 * Claims a directory for this process.
 *
 * @throws StorageFault  when another running process holds it; the message names directory and process
 */
export function lockDirectory(_directory: string): Promise<DirectoryLock> {
  assert(false, 'lockDirectory follows in the next commit')
}
