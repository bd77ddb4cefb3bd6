/**
 * Plans: writes of many keys, computed in the main process at one revision, shown before they run, sent as guarded
 * transactions, reported, and undone.
 *
 * A plan lives as long as the stream that computed it is open. Lists of keys cross as columns (`plan-columns.ts` builds and
 * reads them), because a list of a hundred thousand small objects takes seconds to cross.
 */

import { z } from 'zod'
import { planKeysMax, planValuesSizeBytesMax } from './limits.ts'
import { keyRangeSchema } from './kv.ts'
import { connectionIdSchema, keyBytesSchema, revisionSchema } from './primitives.ts'
import type { BridgeError } from './reply.ts'

const planIdSchema = z.number().int().min(1).max(Number.MAX_SAFE_INTEGER)

/** Keys, each with a revision whose meaning the source names. */
export interface KeyRevisionColumns {
  readonly rowCount: number
  readonly keyBytes: Uint8Array
  /** One more than rows; key `i` is `keyBytes[keyOffsets[i] .. keyOffsets[i + 1])`. */
  readonly keyOffsets: Uint32Array
  readonly revisions: Float64Array
}

/** Keys and values to be written. */
export interface ImportColumns {
  readonly rowCount: number
  readonly keyBytes: Uint8Array
  readonly keyOffsets: Uint32Array
  readonly valueBytes: Uint8Array
  readonly valueOffsets: Uint32Array
  /** Time to live of a lease to be granted for the key; 0 for none. Keys with the same time share one lease. */
  readonly leaseTtlsSeconds: Int32Array
}

const keyRevisionColumnsSchema = z.custom<KeyRevisionColumns>(
  isKeyRevisionColumns,
  `keys must be columns of at most ${String(planKeysMax)} rows`,
)

const importColumnsSchema = z.custom<ImportColumns>(
  isImportColumns,
  `rows must be columns of at most ${String(planKeysMax)} rows and ${String(planValuesSizeBytesMax)} bytes of values`,
)

/** What a plan is to do. */
export const planSourceSchema = z.discriminatedUnion('kind', [
  /** Everything in the range goes. */
  z.strictObject({ kind: z.literal('deleteRange'), range: keyRangeSchema }).readonly(),
  /** These keys go; `revisions` are the mod revisions that the user saw (0: whatever it is now). */
  z.strictObject({ kind: z.literal('deleteKeys'), keys: keyRevisionColumnsSchema }).readonly(),
  /** The range, or only these keys of it (`revisions` unused), become as they were at the revision. */
  z
    .strictObject({
      kind: z.literal('restore'),
      range: keyRangeSchema,
      keys: keyRevisionColumnsSchema.optional(),
      revision: revisionSchema.min(1),
    })
    .readonly(),
  /** Each key gets the value that it had just before the revision of its deletion, unless it exists again. */
  z.strictObject({ kind: z.literal('restoreDeleted'), keys: keyRevisionColumnsSchema }).readonly(),
  /** These pairs are written; existing keys are left alone or overwritten. */
  z
    .strictObject({
      kind: z.literal('import'),
      rows: importColumnsSchema,
      mode: z.enum(['skipExisting', 'overwrite']),
    })
    .readonly(),
  /** Every key under the prefix gets the same name under another one, unless that name is taken. */
  z
    .strictObject({
      kind: z.literal('rename'),
      prefix: keyBytesSchema.refine((bytes) => bytes.length > 0, 'a prefix is needed'),
      to: keyBytesSchema,
    })
    .readonly(),
  /** The range, or only these keys of it, become as they are on another side. */
  z
    .strictObject({
      kind: z.literal('apply'),
      from: z
        .strictObject({ connectionId: connectionIdSchema, revision: revisionSchema })
        .readonly(),
      range: keyRangeSchema,
      keys: keyRevisionColumnsSchema.optional(),
      /** Keys that the other side does not have are deleted. */
      deletesExtra: z.boolean(),
    })
    .readonly(),
  /** What another plan wrote is put back where nobody wrote since. */
  z.strictObject({ kind: z.literal('undo'), planId: planIdSchema }).readonly(),
])
export type PlanSource = z.infer<typeof planSourceSchema>

export const planRequestSchema = z
  .strictObject({ connectionId: connectionIdSchema, source: planSourceSchema })
  .readonly()
export type PlanRequest = z.infer<typeof planRequestSchema>

/**
 * What becomes of a key: it is created, updated, deleted; `same`: it is as wanted already (counted, no row);
 * `conflict`: it is not as expected and is left alone.
 */
export type PlanAct = 'create' | 'update' | 'delete' | 'same' | 'conflict'

/** Acts by their number in `PlanColumns.acts`. */
export const planActs: readonly PlanAct[] = ['create', 'update', 'delete', 'same', 'conflict']

/** Rows of a plan; `acts` are positions in `planActs`. */
export interface PlanColumns {
  readonly rowCount: number
  readonly keyBytes: Uint8Array
  readonly keyOffsets: Uint32Array
  readonly acts: Uint8Array
  /** -1 when there is none or it is unknown. */
  readonly oldSizesBytes: Int32Array
  readonly newSizesBytes: Int32Array
  /** The key must still have this mod revision when the plan runs; 0: it must not exist. */
  readonly expectedModRevisions: Float64Array
  /** 1 where the wanted value had a lease that is gone, so that it is written without one. */
  readonly lostLeases: Uint8Array
}

/** Exact counts of a plan, whatever number of rows is shown. */
export interface PlanSummary {
  readonly planId: number
  /** The revision of the target at which the plan was computed. */
  readonly revision: number
  /** The revision that values are taken from; 0 where that does not apply. */
  readonly sourceRevision: number
  readonly createCount: number
  readonly updateCount: number
  readonly deleteCount: number
  readonly sameCount: number
  readonly conflictCount: number
  /** Of the conflicts, those whose wanted value was compacted away. */
  readonly unreadableCount: number
  readonly lostLeaseCount: number
  /** Bytes of the values that are replaced or deleted, and of those that are written. */
  readonly oldSizeBytes: number
  readonly newSizeBytes: number
  /** Rows that were sent; the others of the plan run unseen. */
  readonly shownCount: number
}

/** What computing a plan delivers. The stream stays open, and the plan exists, until the page closes it. */
export type PlanItem =
  | {
      readonly kind: 'progress'
      readonly lookedAtCount: number
      /** Keys to look at; 0 while unknown. */
      readonly totalCount: number
    }
  | { readonly kind: 'rows'; readonly columns: PlanColumns }
  /** Once, last. */
  | { readonly kind: 'ready'; readonly summary: PlanSummary }

/** A plan runs once. Closing the stream cancels what was not sent yet; the report is then found by `plans.list`. */
export const planRunRequestSchema = z
  .strictObject({
    planId: planIdSchema,
    /** Positions of rows that are not to run. */
    excludedRows: z.custom<Uint32Array>((value) => value instanceof Uint32Array).optional(),
  })
  .readonly()
export type PlanRunRequest = z.infer<typeof planRunRequestSchema>

/** Ends the sending of a running plan; its report follows on its stream. */
export const planCancelRequestSchema = z.strictObject({ planId: planIdSchema }).readonly()
export type PlanCancelRequest = z.infer<typeof planCancelRequestSchema>

/** What became of one key that was not simply written. */
export interface PlanReportLine {
  readonly key: Uint8Array
  readonly act: PlanAct
  /**
   * `skipped`: changed since the plan was computed, left alone; `failed`: refused; `applied` and `notApplied`: the answer
   * was lost and the key was read back; `unknown`: nobody can tell yet; `notSent`: the run ended before.
   */
  readonly outcome: 'skipped' | 'failed' | 'applied' | 'notApplied' | 'unknown' | 'notSent'
  readonly reason: string
}

export interface PlanReport {
  readonly planId: number
  readonly connectionId: string
  readonly sourceKind: PlanSource['kind']
  /** First key or prefix of what it was about, for a title. */
  readonly subject: Uint8Array
  readonly startedAtMs: number
  readonly finishedAtMs: number
  readonly isCanceled: boolean
  /** Why it ended early, other than by a cancel. */
  readonly error?: BridgeError
  /** Written and confirmed, those read back as applied among them. */
  readonly doneCount: number
  readonly putCount: number
  readonly deletedCount: number
  readonly skippedCount: number
  readonly failedCount: number
  readonly unknownCount: number
  readonly notSentCount: number
  /** Revisions of the first and the last transaction that wrote; 0 when none did. */
  readonly firstRevision: number
  readonly lastRevision: number
  /** Keys that an undo would put back; 0 when it was undone or is no longer kept. */
  readonly undoableCount: number
  /** Lines in the order of the keys, those that an undo left alone first; up to a limit, the counts are exact. */
  readonly lines: readonly PlanReportLine[]
}

/** What running a plan delivers; it ends by itself. */
export type PlanRunItem =
  | {
      readonly kind: 'progress'
      readonly doneCount: number
      readonly skippedCount: number
      readonly failedCount: number
      readonly totalCount: number
    }
  /** Once, last. */
  | { readonly kind: 'report'; readonly report: PlanReport }

/** Reports of this run of the app, newest first. */
export interface PlanList {
  readonly reports: readonly PlanReport[]
}

function isOffsets(value: unknown, rowCount: unknown, bytes: unknown): value is Uint32Array {
  if (!(value instanceof Uint32Array) || !(bytes instanceof Uint8Array)) return false
  if (value.length !== Number(rowCount) + 1 || value[0] !== 0) return false
  for (let row = 1; row < value.length; row++) {
    if ((value[row] ?? 0) < (value[row - 1] ?? 0)) return false
  }
  return value[value.length - 1] === bytes.length
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

function hasKeys(value: Readonly<Record<string, unknown>>): boolean {
  const { rowCount, keyBytes, keyOffsets } = value
  if (typeof rowCount !== 'number' || !Number.isInteger(rowCount)) return false
  if (rowCount < 0 || rowCount > planKeysMax) return false
  if (!(keyBytes instanceof Uint8Array) || keyBytes.length > planValuesSizeBytesMax) return false
  return isOffsets(keyOffsets, rowCount, keyBytes)
}

function isKeyRevisionColumns(value: unknown): boolean {
  if (!isRecord(value) || !hasKeys(value)) return false
  const { revisions } = value
  if (!(revisions instanceof Float64Array) || revisions.length !== value['rowCount']) return false
  return revisions.every((revision) => Number.isSafeInteger(revision) && revision >= 0)
}

function isImportColumns(value: unknown): boolean {
  if (!isRecord(value) || !hasKeys(value)) return false
  const { rowCount, valueBytes, valueOffsets, leaseTtlsSeconds } = value
  if (!(valueBytes instanceof Uint8Array) || valueBytes.length > planValuesSizeBytesMax)
    return false
  if (!isOffsets(valueOffsets, rowCount, valueBytes)) return false
  if (!(leaseTtlsSeconds instanceof Int32Array) || leaseTtlsSeconds.length !== rowCount)
    return false
  return leaseTtlsSeconds.every((seconds) => seconds >= 0)
}
