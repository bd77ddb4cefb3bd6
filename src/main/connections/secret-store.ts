/**
 * Passwords of saved connections, encrypted by the operating system's own means, in a file of their own. Where there are
 * none (or none that deserve the name), nothing is kept: the user is asked at each start.
 */

import { z } from 'zod'
import type { Logger } from '../../core/base/logger.ts'
import { connectionIdSchema } from '../../preload/contract/primitives.ts'
import { JsonFile } from '../json-file.ts'

/** What encrypts; Electron's `safeStorage`, or a simulated one in tests. */
export interface SecretCipher {
  isEncryptionAvailable(): boolean
  encryptString(text: string): Buffer
  decryptString(bytes: Buffer): string
  /** Linux only: which keyring is used. */
  getSelectedStorageBackend?(): string
}

const secretsFileSchema = z.object({
  schemaVersion: z.literal(1),
  /** By connection; base64 of what the cipher made. */
  passwords: z.record(connectionIdSchema, z.string()),
})
type SecretsFileContent = z.infer<typeof secretsFileSchema>

export class SecretStore {
  private readonly file: JsonFile<SecretsFileContent>
  private readonly cipher: SecretCipher
  private readonly logger: Logger
  private passwords: Readonly<Record<string, string>>

  constructor(path: string, cipher: SecretCipher, logger: Logger) {
    this.file = new JsonFile(path, secretsFileSchema, logger)
    this.cipher = cipher
    this.logger = logger
    this.passwords = this.file.load()?.passwords ?? {}
  }

  /** Whether passwords can be kept on this machine. A keyring that encrypts with a fixed key is none. */
  canKeep(): boolean {
    return (
      this.cipher.isEncryptionAvailable() &&
      this.cipher.getSelectedStorageBackend?.() !== 'basic_text'
    )
  }

  /** The password of a connection, or undefined when none is kept or it can no longer be read. */
  find(connectionId: string): string | undefined {
    const kept = this.passwords[connectionId]
    if (kept === undefined || !this.canKeep()) return undefined
    try {
      return this.cipher.decryptString(Buffer.from(kept, 'base64'))
    } catch (error) {
      // Another user's keyring, or a new one: the user is asked again.
      this.logger.warn('a kept password cannot be read', { reason: String(error) })
      return undefined
    }
  }

  /** Keeps a password. Does nothing where none can be kept. */
  async put(connectionId: string, password: string): Promise<void> {
    if (!this.canKeep()) return
    const kept = this.cipher.encryptString(password).toString('base64')
    await this.replace({ ...this.passwords, [connectionId]: kept })
  }

  async remove(connectionId: string): Promise<void> {
    if (this.passwords[connectionId] === undefined) return
    const others = Object.entries(this.passwords).filter(([id]) => id !== connectionId)
    await this.replace(Object.fromEntries(others))
  }

  private replace(passwords: Readonly<Record<string, string>>): Promise<void> {
    this.passwords = passwords
    return this.file.save({ schemaVersion: 1, passwords })
  }
}
