/** A key as the user types it: text with escapes, or hexadecimal digits. */

import { hexText, keyText, parseKeyText } from '../../format/bytes-text.ts'

/** How a key is written in its field. */
export type KeyForm = 'asText' | 'asHex'

/** The key in a form. */
export function keyFormText(key: Uint8Array, form: KeyForm): string {
  return form === 'asHex' ? hexText(key) : keyText(key)
}

/** The bytes that a typed key stands for; undefined for digits that are not pairs of hexadecimal ones. */
export function parseKeyForm(text: string, form: KeyForm): Uint8Array | undefined {
  if (form === 'asText') return parseKeyText(text)
  const digits = text.replaceAll(/\s+/gu, '')
  if (!/^(?:[0-9a-fA-F]{2})*$/u.test(digits)) return undefined
  return Uint8Array.from(digits.match(/../gu) ?? [], (pair) => Number.parseInt(pair, 16))
}
