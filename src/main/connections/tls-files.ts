/** Certificates and keys of a connection: chosen by the user as files, read anew at each connect so that they may be renewed. */

import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import type { ClientTlsOptions } from '../../core/client/endpoint.ts'
import type { TlsChoice } from '../../preload/contract/connection.ts'
import { HostError } from '../host-error.ts'
import type { TlsProfile } from './connection-profile.ts'

/** A certificate with its chain has a few KiB; this is no certificate any more. */
const fileSizeBytesMax = 4_194_304
/** Files that were chosen and not used; a page cannot fill the memory with them. */
const chosenMax = 256

/** Files that the user chose in a dialog. The page knows them by token only: it can name no path. */
export class ChosenFiles {
  private readonly paths = new Map<string, string>()

  add(path: string): { readonly token: string; readonly name: string } {
    const token = randomUUID()
    this.paths.set(token, path)
    const [oldest] = this.paths.keys()
    if (this.paths.size > chosenMax && oldest !== undefined) this.paths.delete(oldest)
    return { token, name: basename(path) }
  }

  /**
   * The settings of a request with paths instead of tokens.
   *
   * @throws HostError  `invalidRequest` for a token that was not given out
   */
  profileOf(choice: TlsChoice): TlsProfile {
    const pathOf = (token: string | undefined): string | undefined => {
      if (token === undefined) return undefined
      const path = this.paths.get(token)
      if (path === undefined) throw new HostError('invalidRequest', 'The file must be chosen again')
      return path
    }
    const authoritiesPath = pathOf(choice.authorities)
    const certificatePath = pathOf(choice.certificate)
    const privateKeyPath = pathOf(choice.privateKey)
    return {
      ...(authoritiesPath === undefined ? {} : { authoritiesPath }),
      ...(certificatePath === undefined ? {} : { certificatePath }),
      ...(privateKeyPath === undefined ? {} : { privateKeyPath }),
      ...(choice.serverName === undefined ? {} : { serverName: choice.serverName }),
      isVerifySkipped: choice.isVerifySkipped,
    }
  }
}

/**
 * Reads the files of a connection.
 *
 * @throws HostError  `file` when one cannot be read, naming it
 */
export async function readTlsFiles(profile: TlsProfile): Promise<ClientTlsOptions> {
  const { certificatePath, privateKeyPath, authoritiesPath, serverName } = profile
  if ((certificatePath === undefined) !== (privateKeyPath === undefined)) {
    throw new HostError('invalidRequest', 'A client certificate and its key belong together')
  }
  const [authorities, certificates, privateKey] = await Promise.all(
    [authoritiesPath, certificatePath, privateKeyPath].map(readOptional),
  )
  return {
    ...(authorities === undefined ? {} : { authorities }),
    ...(certificates === undefined || privateKey === undefined
      ? {}
      : { identity: { certificates, privateKey } }),
    ...(serverName === undefined ? {} : { serverName }),
    isVerifySkipped: profile.isVerifySkipped,
  }
}

async function readOptional(path: string | undefined): Promise<Uint8Array | undefined> {
  if (path === undefined) return undefined
  let bytes: Uint8Array
  try {
    bytes = await readFile(path)
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw new HostError('file', `The file "${basename(path)}" cannot be read: ${reason}`)
  }
  if (bytes.length > fileSizeBytesMax) {
    throw new HostError('file', `The file "${basename(path)}" is too large for a certificate`)
  }
  return bytes
}
