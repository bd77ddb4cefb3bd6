/** An authority and certificates of it, made anew for each test run. */
import { webcrypto } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as x509 from '@peculiar/x509'

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const dayMs = 86_400_000

export interface CertificateOptions {
  readonly commonName?: string
  readonly hosts?: readonly string[]
  /** Days from now on; negative: it ended so long ago. */
  readonly validDays?: number
}

/** Paths of a certificate and its key. */
export interface CertificatePaths {
  readonly cert: string
  readonly key: string
  readonly serialNumber: string
}

/** Signs certificates and writes them into one folder. */
export class TestAuthority {
  readonly certPath: string
  private readonly folder: string
  private readonly keys: CryptoKeyPairLike
  private readonly certificate: x509.X509Certificate
  private serial = 1_000

  private constructor(
    folder: string,
    made: { readonly keys: CryptoKeyPairLike; readonly certificate: x509.X509Certificate },
    name: string,
  ) {
    this.folder = folder
    this.keys = made.keys
    this.certificate = made.certificate
    this.certPath = join(folder, `${name}.pem`)
    writeFileSync(this.certPath, made.certificate.toString('pem'))
  }

  static async create(folder: string, name = 'authority'): Promise<TestAuthority> {
    x509.cryptoProvider.set(webcrypto)
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: '01',
      name: `CN=${name}`,
      notBefore: new Date(Date.now() - dayMs),
      notAfter: new Date(Date.now() + 10 * dayMs),
      signingAlgorithm: algorithm,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.KeyUsagesExtension(
          x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
          true,
        ),
      ],
    })
    return new TestAuthority(folder, { keys, certificate }, name)
  }

  /** Writes `<file>.pem` and `<file>-key.pem`, over those that are there. */
  async issue(file: string, options: CertificateOptions = {}): Promise<CertificatePaths> {
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
    const serialNumber = (this.serial++).toString(16).padStart(4, '0')
    const endMs = Date.now() + (options.validDays ?? 5) * dayMs
    const hosts = options.hosts ?? ['127.0.0.1', 'localhost']
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber,
      subject: options.commonName === undefined ? 'O=test' : `CN=${options.commonName}`,
      issuer: this.certificate.subject,
      notBefore: new Date(Math.min(Date.now(), endMs) - dayMs),
      notAfter: new Date(endMs),
      signingAlgorithm: algorithm,
      publicKey: keys.publicKey,
      signingKey: this.keys.privateKey,
      extensions: [
        new x509.ExtendedKeyUsageExtension([
          x509.ExtendedKeyUsage.clientAuth,
          x509.ExtendedKeyUsage.serverAuth,
        ]),
        ...(hosts.length === 0
          ? []
          : [
              new x509.SubjectAlternativeNameExtension(
                hosts.map((host) => ({
                  type: /^[\d.]+$/.test(host) ? ('ip' as const) : ('dns' as const),
                  value: host,
                })),
              ),
            ]),
      ],
    })
    const paths = {
      cert: join(this.folder, `${file}.pem`),
      key: join(this.folder, `${file}-key.pem`),
      serialNumber,
    }
    const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)
    writeFileSync(paths.key, x509.PemConverter.encode(key, 'PRIVATE KEY'))
    writeFileSync(paths.cert, certificate.toString('pem'))
    return paths
  }

  /** Writes a list of revoked certificates. */
  async revoke(file: string, serialNumbers: readonly string[]): Promise<string> {
    const list = await x509.X509CrlGenerator.create({
      issuer: this.certificate.subject,
      thisUpdate: new Date(),
      nextUpdate: new Date(Date.now() + dayMs),
      signingAlgorithm: algorithm,
      signingKey: this.keys.privateKey,
      entries: serialNumbers.map((serialNumber) => ({
        serialNumber,
        revocationDate: new Date(),
      })),
    })
    const path = join(this.folder, file)
    writeFileSync(path, list.toString('pem'))
    return path
  }
}

interface CryptoKeyPairLike {
  readonly publicKey: webcrypto.CryptoKey
  readonly privateKey: webcrypto.CryptoKey
}
