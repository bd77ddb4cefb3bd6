/** Values to files and back, through the dialogs of the system. */

import type { SavedFile } from '../../preload/contract/file.ts'
import { valueSizeBytesMax } from '../../preload/contract/limits.ts'
import { fileApi } from '../api/file-api.ts'
import { keyText } from '../format/bytes-text.ts'
import { detectValueKind, type ValueKindName } from '../values/value-kind.ts'

const extensions: Readonly<Record<ValueKindName, string>> = {
  empty: 'txt',
  json: 'json',
  badJson: 'json',
  yaml: 'yaml',
  toml: 'toml',
  xml: 'xml',
  svg: 'svg',
  ini: 'ini',
  dotenv: 'env',
  shell: 'sh',
  jwt: 'jwt',
  base64: 'txt',
  plain: 'txt',
  gzip: 'gz',
  zlib: 'bin',
  png: 'png',
  jpeg: 'jpg',
  gif: 'gif',
  webp: 'webp',
  kubernetes: 'pb',
  binary: 'bin',
}

/** Asks where to, and writes the bytes as they are. Undefined: the user closed the dialog. */
export function saveValue(key: Uint8Array, value: Uint8Array): Promise<SavedFile | undefined> {
  const suggestedName = fileNameOf(keyText(key), extensions[detectValueKind(value).kind])
  return fileApi.saveAs({ suggestedName, chunks: [value] })
}

/** Asks for a file, which may be as large as a value. Undefined: the user closed the dialog. */
export function loadValue(): ReturnType<typeof fileApi.open> {
  return fileApi.open({ filters: [], sizeBytesMax: valueSizeBytesMax })
}

function fileNameOf(key: string, extension: string): string {
  const name = key.replace(/\/+$/u, '').split('/').at(-1) ?? ''
  if (name === '') return `value.${extension}`
  return /\.[A-Za-z0-9]{1,8}$/u.test(name) ? name : `${name}.${extension}`
}
