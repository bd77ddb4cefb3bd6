/** TLS from our side: what to dial another member with. */
import { checkServerIdentity, type ConnectionOptions } from 'node:tls'
import { X509Certificate } from 'node:crypto'
import { certificateProblem } from './certificate-rules.ts'
import type { TlsFiles } from './tls-files.ts'

/** Dials with the certificate of a port, and trusts whom that port trusts. */
export class TlsDialer {
  private readonly files: TlsFiles

  constructor(files: TlsFiles) {
    this.files = files
  }

  /**
   * Options for a connection that is about to be opened. Files that have changed since the last one count from the next one
   * on.
   */
  options(): ConnectionOptions {
    const { files } = this
    void files.refresh()
    if (files.settings.isSelfSigned) return { ...files.material.client, rejectUnauthorized: false }
    return {
      ...files.material.client,
      checkServerIdentity: (host, shown) => {
        const wrongHost = checkServerIdentity(host, shown)
        if (wrongHost !== undefined) return wrongHost
        const leaf = new X509Certificate(shown.raw)
        const named = shown.subject.CN as string | readonly string[] | undefined
        const commonName = typeof named === 'string' ? named : (named?.at(-1) ?? '')
        const problem = certificateProblem(files, { commonName, leaf, serials: [] })
        return problem === undefined ? undefined : new Error(problem)
      },
    }
  }
}
