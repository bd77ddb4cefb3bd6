/** Lists of revoked certificates. */

/**
 * Serial numbers on a list, in lower case hex without leading zeros.
 *
 * Issuer, signature and date of the list do not matter: whoever can write the file decides what is in it.
 *
 * @param bytes  the list as DER or PEM
 * @throws Error  it is no such list
 */
export async function parseRevokedSerials(bytes: Buffer): Promise<ReadonlySet<string>> {
  // Loaded by those who have a list alone: it takes longer than the rest of the start.
  const { X509Crl } = await import('@peculiar/x509')
  try {
    const list = new X509Crl(bytes.includes('-----BEGIN') ? bytes.toString('latin1') : bytes)
    return new Set(list.entries.map(({ serialNumber }) => normalSerial(serialNumber)))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(`x509: malformed crl: ${reason}`, { cause: error })
  }
}

/** A serial number in the form in which they are compared. */
export function normalSerial(hex: string): string {
  return hex.toLowerCase().replace(/^0+(?=.)/, '')
}
