/** A transaction as JSON text, and back, with the place of what could not be read. */

import { LineCounter, parseDocument } from 'yaml'
import { z } from 'zod'
import { jsonFaultOffset } from './json-fault.ts'
import {
  asText,
  nextRowId,
  plainRead,
  type BytesDraft,
  type CompareDraft,
  type OperationDraft,
  type RangeDraft,
  type ReadOptionsDraft,
  type TxnDraft,
} from './query-draft.ts'

/** What is wrong with the text, and where: lines and columns begin at 1. */
export interface JsonProblem {
  readonly line: number
  readonly column: number
  readonly message: string
}

export type JsonReading =
  | { readonly kind: 'read'; readonly draft: TxnDraft }
  | { readonly kind: 'refused'; readonly problems: readonly JsonProblem[] }

/** Shown of a text with many mistakes. */
const problemsMax = 20

const numberSchema = z.union([z.string(), z.number()])
const rangeShape = {
  key: z.string().optional(),
  prefix: z.string().optional(),
  from: z.string().optional(),
  end: z.string().optional(),
  all: z.literal(true).optional(),
}
const bytesShape = { value: z.string().optional(), valueBase64: z.string().optional() }

const compareJsonSchema = z.strictObject({
  ...rangeShape,
  target: z.enum(['value', 'version', 'create', 'mod', 'lease']),
  result: z.enum(['=', '!=', '<', '>']),
  value: numberSchema.optional(),
  valueBase64: z.string().optional(),
})

const putJsonSchema = z.strictObject({
  key: z.string(),
  ...bytesShape,
  lease: z.string().optional(),
})

const readJsonSchema = z.strictObject({
  ...rangeShape,
  limit: numberSchema.optional(),
  revision: numberSchema.optional(),
  sortBy: z.enum(['key', 'version', 'createRevision', 'modRevision', 'value']).optional(),
  order: z.enum(['ascending', 'descending']).optional(),
  keysOnly: z.boolean().optional(),
  countOnly: z.boolean().optional(),
  minModRevision: numberSchema.optional(),
  maxModRevision: numberSchema.optional(),
  minCreateRevision: numberSchema.optional(),
  maxCreateRevision: numberSchema.optional(),
})

const deleteJsonSchema = z.strictObject({ ...rangeShape, prevKv: z.boolean().optional() })

interface TxnJson {
  readonly compare?: z.infer<typeof compareJsonSchema>[] | undefined
  readonly success?: OperationJson[] | undefined
  readonly failure?: OperationJson[] | undefined
}
interface OperationJson {
  readonly put?: z.infer<typeof putJsonSchema> | undefined
  readonly delete?: z.infer<typeof deleteJsonSchema> | undefined
  readonly range?: z.infer<typeof readJsonSchema> | undefined
  readonly txn?: TxnJson | undefined
}

const operationJsonSchema: z.ZodType<OperationJson> = z.lazy(() =>
  z
    .strictObject({
      put: putJsonSchema.optional(),
      delete: deleteJsonSchema.optional(),
      range: readJsonSchema.optional(),
      txn: txnJsonSchema.optional(),
    })
    .refine(
      (operation) => Object.values(operation).filter((part) => part !== undefined).length === 1,
      'an operation is one of put, delete, range and txn',
    ),
)
const txnJsonSchema: z.ZodType<TxnJson> = z.strictObject({
  compare: z.array(compareJsonSchema).optional(),
  success: z.array(operationJsonSchema).optional(),
  failure: z.array(operationJsonSchema).optional(),
})

/** The transaction as indented JSON; what is empty or usual is left out. */
export function jsonOfTxn(draft: TxnDraft): string {
  return `${JSON.stringify(txnJsonOf(draft), null, 2)}\n`
}

/** Reads JSON text. Nothing is taken over of a text with mistakes. */
export function txnOfJson(text: string): JsonReading {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return { kind: 'refused', problems: [syntaxProblem(text, error.message)] }
  }
  const result = txnJsonSchema.safeParse(parsed)
  if (result.success) return { kind: 'read', draft: draftOfJson(result.data) }
  const places = new PlaceFinder(text)
  const problems = result.error.issues.slice(0, problemsMax).map((issue) => ({
    ...places.find(issue.path),
    message: `${pathText(issue.path)}: ${issue.message}`,
  }))
  return { kind: 'refused', problems }
}

function txnJsonOf(draft: TxnDraft): TxnJson {
  return {
    compare: draft.compares.map(({ range, target, relation, operand }) => ({
      ...rangeJsonOf(range),
      target,
      result: relation,
      ...(target === 'value'
        ? bytesJsonOf(operand)
        : { value: numberJsonOf(operand.text, target) }),
    })),
    success: draft.thenOperations.map(operationJsonOf),
    failure: draft.elseOperations.map(operationJsonOf),
  }
}

function operationJsonOf(operation: OperationDraft): OperationJson {
  switch (operation.kind) {
    case 'put': {
      const { key, value, lease } = operation
      return { put: { key, ...bytesJsonOf(value), ...(lease === '' ? {} : { lease }) } }
    }
    case 'delete': {
      const { range, needsPrevious } = operation
      return { delete: { ...rangeJsonOf(range), ...(needsPrevious ? {} : { prevKv: false }) } }
    }
    case 'range':
      return { range: { ...rangeJsonOf(operation.range), ...readJsonOf(operation.options) } }
    case 'txn':
      return { txn: txnJsonOf(operation.txn) }
  }
}

function rangeJsonOf({ kind, key, end }: RangeDraft): z.infer<typeof deleteJsonSchema> {
  switch (kind) {
    case 'key':
      return { key }
    case 'prefix':
      return { prefix: key }
    case 'interval':
      return { key, end }
    case 'from':
      return { from: key }
    case 'all':
      return { all: true }
  }
}

function bytesJsonOf({ text, isBase64 }: BytesDraft): { value?: string; valueBase64?: string } {
  return isBase64 ? { valueBase64: text } : { value: text }
}

/** Digits become a number; what is being typed and is none yet stays text, so that no view loses it. */
function numberJsonOf(text: string, target?: CompareDraft['target']): string | number {
  const number = Number(text)
  const isPlain = /^[0-9]+$/u.test(text) && Number.isSafeInteger(number) && target !== 'lease'
  return isPlain && String(number) === text ? number : text
}

function readJsonOf(options: ReadOptionsDraft): z.infer<typeof readJsonSchema> {
  const json: Record<string, unknown> = {}
  const numbers = {
    limit: options.limit,
    revision: options.revision,
    minModRevision: options.minModRevision,
    maxModRevision: options.maxModRevision,
    minCreateRevision: options.minCreateRevision,
    maxCreateRevision: options.maxCreateRevision,
  }
  for (const [name, text] of Object.entries(numbers)) {
    if (text !== '') json[name] = numberJsonOf(text)
  }
  if (options.sortBy !== 'key') json['sortBy'] = options.sortBy
  if (options.isDescending) json['order'] = 'descending'
  if (options.isKeysOnly) json['keysOnly'] = true
  if (options.isCountOnly) json['countOnly'] = true
  return readJsonSchema.parse(json)
}

function draftOfJson(json: TxnJson): TxnDraft {
  return {
    compares: (json.compare ?? []).map((compare): CompareDraft => ({
      id: nextRowId(),
      range: rangeDraftOf(compare),
      target: compare.target,
      relation: compare.result,
      operand:
        compare.valueBase64 === undefined
          ? asText(String(compare.value ?? ''))
          : { text: compare.valueBase64, isBase64: true },
    })),
    thenOperations: (json.success ?? []).map(operationDraftOf),
    elseOperations: (json.failure ?? []).map(operationDraftOf),
  }
}

function operationDraftOf(json: OperationJson): OperationDraft {
  const id = nextRowId()
  if (json.put !== undefined) {
    const { key, value = '', valueBase64, lease = '' } = json.put
    const bytes = valueBase64 === undefined ? asText(value) : { text: valueBase64, isBase64: true }
    return { id, kind: 'put', key, value: bytes, lease }
  }
  if (json.delete !== undefined) {
    const needsPrevious = json.delete.prevKv !== false
    return { id, kind: 'delete', range: rangeDraftOf(json.delete), needsPrevious }
  }
  if (json.range !== undefined) {
    const options = readOptionsDraftOf(json.range)
    return { id, kind: 'range', range: rangeDraftOf(json.range), options }
  }
  return { id, kind: 'txn', txn: draftOfJson(json.txn ?? {}) }
}

function rangeDraftOf(json: z.infer<typeof deleteJsonSchema>): RangeDraft {
  if (json.all === true) return { kind: 'all', key: '', end: '' }
  if (json.prefix !== undefined) return { kind: 'prefix', key: json.prefix, end: '' }
  if (json.from !== undefined) return { kind: 'from', key: json.from, end: '' }
  if (json.end !== undefined) return { kind: 'interval', key: json.key ?? '', end: json.end }
  return { kind: 'key', key: json.key ?? '', end: '' }
}

function readOptionsDraftOf(json: z.infer<typeof readJsonSchema>): ReadOptionsDraft {
  return {
    ...plainRead,
    limit: String(json.limit ?? ''),
    revision: String(json.revision ?? ''),
    sortBy: json.sortBy ?? 'key',
    isDescending: json.order === 'descending',
    isKeysOnly: json.keysOnly === true,
    isCountOnly: json.countOnly === true,
    minModRevision: String(json.minModRevision ?? ''),
    maxModRevision: String(json.maxModRevision ?? ''),
    minCreateRevision: String(json.minCreateRevision ?? ''),
    maxCreateRevision: String(json.maxCreateRevision ?? ''),
  }
}

function syntaxProblem(text: string, message: string): JsonProblem {
  const lines = text.slice(0, jsonFaultOffset(text)).split('\n')
  return {
    line: lines.length,
    column: (lines.at(-1)?.length ?? 0) + 1,
    // What follows repeats the text or counts its characters; the place stands beside it.
    message: message.replace(/(?:, (?:\.\.\.)?"[^]*| (?:in JSON )?at position .*)$/u, ''),
  }
}

/** Finds where a path of a JSON text stands in it. JSON is read as the part of YAML that it is. */
class PlaceFinder {
  private readonly lines = new LineCounter()
  private readonly document: ReturnType<typeof parseDocument>

  constructor(text: string) {
    this.document = parseDocument(text, { lineCounter: this.lines })
  }

  /** The place of the value at a path, or of the nearest thing around it. */
  find(path: readonly PropertyKey[]): { readonly line: number; readonly column: number } {
    for (let length = path.length; length >= 0; length--) {
      const node: unknown = this.document.getIn(path.slice(0, length), true)
      const start = startOf(length === 0 ? this.document.contents : node)
      if (start === undefined) continue
      const { line, col } = this.lines.linePos(start)
      return { line, column: col }
    }
    return { line: 1, column: 1 }
  }
}

function startOf(node: unknown): number | undefined {
  if (typeof node !== 'object' || node === null || !('range' in node)) return undefined
  const { range } = node
  return Array.isArray(range) && typeof range[0] === 'number' ? range[0] : undefined
}

function pathText(path: readonly PropertyKey[]): string {
  if (path.length === 0) return 'transaction'
  return path
    .map((part) => (typeof part === 'number' ? `[${String(part)}]` : `.${String(part)}`))
    .join('')
    .replace(/^\./u, '')
}
