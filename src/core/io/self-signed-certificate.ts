/**
 * Certificates that a node makes for itself, for clusters that want encryption and have no authority.
 *
 * They are made once and kept, under the names and in the form that etcd uses, so that a client that was told to trust one
 * can go on doing so.
 */
import { webcrypto } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { join } from 'node:path'

export interface SelfSignedOptions {
  /** Host names and addresses the certificate is for, with or without ports. */
  readonly hosts: readonly string[]
  readonly validityYears: number
  /** Milliseconds since 1970. */
  readonly nowMs: number
}

/** Where a certificate and its key are. */
export interface CertificateFiles {
  readonly certFile: string
  readonly keyFile: string
}

/**
 * The certificate kept in a folder; made when there is none.
 * @throws Error  the validity is not positive, or the folder cannot be written
 */
export async function selfSignedCertificate(
  folder: string,
  options: SelfSignedOptions,
): Promise<CertificateFiles> {
  if (options.validityYears <= 0)
    throw new Error('selfSignedCertValidity is invalid,it should be greater than 0')
  const files = { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') }
  if (existsSync(files.certFile) && existsSync(files.keyFile)) return files
  const made = await makeCertificate(options)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  // The key is there before whoever looks for the certificate finds it.
  await writeFile(files.keyFile, made.keyPem, { mode: 0o600 })
  await chmod(files.keyFile, 0o600)
  await writeFile(files.certFile, made.certPem, { mode: 0o644 })
  return files
}

const keyAlgorithm = { name: 'ECDSA', namedCurve: 'P-521' }
const serialSizeBytes = 16

async function makeCertificate({
  hosts,
  validityYears,
  nowMs,
}: SelfSignedOptions): Promise<{ readonly certPem: string; readonly keyPem: string }> {
  // Loaded only here: it takes longer than the rest of the start.
  const x509 = await import('@peculiar/x509')
  const keys = await webcrypto.subtle.generateKey(keyAlgorithm, true, ['sign', 'verify'])
  const notBefore = new Date(nowMs)
  const notAfter = new Date(nowMs)
  notAfter.setUTCFullYear(notAfter.getUTCFullYear() + validityYears)
  const serial = webcrypto.getRandomValues(new Uint8Array(serialSizeBytes))
  // A serial number is positive, and not padded.
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: Buffer.from(serial).toString('hex'),
      name: 'O=etcd',
      notBefore,
      notAfter,
      signingAlgorithm: { name: 'ECDSA', hash: 'SHA-512' },
      keys,
      extensions: [
        new x509.KeyUsagesExtension(
          x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment,
          true,
        ),
        // Members are each other's clients.
        new x509.ExtendedKeyUsageExtension([
          x509.ExtendedKeyUsage.clientAuth,
          x509.ExtendedKeyUsage.serverAuth,
        ]),
        new x509.BasicConstraintsExtension(false, undefined, true),
        ...(hosts.length === 0
          ? []
          : [new x509.SubjectAlternativeNameExtension(hosts.map(alternativeOf))]),
      ],
    },
    webcrypto,
  )
  const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)
  return {
    certPem: `${certificate.toString('pem')}\n`,
    keyPem: `${x509.PemConverter.encode(key, 'PRIVATE KEY')}\n`,
  }
}

function alternativeOf(hostAndPort: string): {
  readonly type: 'ip' | 'dns'
  readonly value: string
} {
  const match = /^(?:\[([^\]]+)\]|([^:]*))(?::\d+)?$/.exec(hostAndPort)
  const host = match?.[1] ?? match?.[2] ?? hostAndPort
  return { type: isIP(host) === 0 ? 'dns' : 'ip', value: host }
}
