/** Writes as etcdctl command lines, for people to read and to take over. Never run by this program. */

/** Text that a shell takes as it stands; anything else is put into single quotes. */
const plainText = /^[A-Za-z0-9_./:@%+=-]+$/

/**
 * The command line for some keys.
 *
 * @param placeholder  stands for a value, which is never shown
 */
export function commandLineOf(
  command: 'put' | 'del',
  keys: readonly Uint8Array[],
  placeholder?: string,
): string {
  const words = keys.map(shellWordOf)
  return ['etcdctl', command, ...words, ...(placeholder === undefined ? [] : [placeholder])].join(
    ' ',
  )
}

function shellWordOf(key: Uint8Array): string {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(key)
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    return `$'${[...key].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}'`
  }
  return plainText.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
