/** `--enable-log-rotation` and `--log-rotation-config-json`, with the refusals and the words of etcd. */
import { UsageError } from './flags.ts'
import type { LogRotation } from './rotating-file.ts'

const sizeMegabytesDefault = 100
const megabyteBytes = 1_048_576
const notFiles = ['default', 'stdout', 'stderr']
const fieldTypes = {
  maxsize: 'int',
  maxage: 'int',
  maxbackups: 'int',
  localtime: 'bool',
  compress: 'bool',
} as const

type FieldName = keyof typeof fieldTypes

/**
 * @param json     text of the second flag
 * @param outputs  where the log goes
 * @throws UsageError  there is not one file among the outputs, or the text tells no rotation
 */
export function logRotationOf(json: string, outputs: readonly string[]): LogRotation {
  const fileCount = outputs.filter((output) => !notFiles.includes(output)).length
  if (fileCount > 1 || (outputs.length === 1 && fileCount === 0)) {
    throw new UsageError(
      '--log-outputs requires a single file path when --log-rotate-config-json is defined',
      1,
    )
  }
  const fields = fieldsOf(json)
  const number = (name: FieldName): number => Number(fields.get(name) ?? 0)
  for (const name of ['maxsize', 'maxage', 'maxbackups'] as const) {
    if (number(name) < 0) {
      throw new UsageError(`invalid log rotation config: ${name} is ${number(name)}, below 0`, 1)
    }
  }
  return {
    sizeBytesMax: (number('maxsize') || sizeMegabytesDefault) * megabyteBytes,
    ageDaysMax: number('maxage'),
    backupCountMax: number('maxbackups'),
    isLocalTime: fields.get('localtime') === true,
    isCompressed: fields.get('compress') === true,
  }
}

/** Fields as Go reads them: names in any case, unknown ones dropped, null for absent. */
function fieldsOf(json: string): ReadonlyMap<FieldName, number | boolean> {
  const value = parse(json)
  const fields = new Map<FieldName, number | boolean>()
  if (value === null) return fields
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw wrongType(value, 'Go value of type embed.logRotationConfig')
  }
  for (const [given, field] of Object.entries(value as Record<string, unknown>)) {
    const name = given.toLowerCase()
    if (!isFieldName(name) || field === null) continue
    const type = fieldTypes[name]
    const isRight = type === 'int' ? Number.isSafeInteger(field) : typeof field === 'boolean'
    if (!isRight)
      throw wrongType(field, `Go struct field logRotationConfig.Logger.${name} of type ${type}`)
    fields.set(name, field as number | boolean)
  }
  return fields
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    const reason = json.trim() === '' ? 'unexpected end of JSON input' : error.message
    throw new UsageError(`improperly formatted log rotation config: ${reason}`, 1)
  }
}

function isFieldName(name: string): name is FieldName {
  return Object.hasOwn(fieldTypes, name)
}

function wrongType(value: unknown, wanted: string): UsageError {
  return new UsageError(
    `invalid log rotation config: json: cannot unmarshal ${kindOf(value)} into ${wanted}`,
    1,
  )
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'boolean') return 'bool'
  // Go tells the number only where a number was allowed.
  return typeof value === 'number' && !Number.isInteger(value) ? `number ${value}` : typeof value
}
