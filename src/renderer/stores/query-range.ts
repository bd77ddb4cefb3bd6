/** The range form: what it asks, of whom, and the answers side by side. */

import { z } from 'zod'
import { keyRowAt } from '../../preload/contract/key-columns.ts'
import type { QueryRangeReply, QueryRangeRequest } from '../../preload/contract/query.ts'
import { queryApi } from '../api/query-api.ts'
import { keyText } from '../format/bytes-text.ts'
import { rangeProblem, areReadNumbersGood, type ProblemCode } from './query-check.ts'
import { rangeOfDraft, readOptionsOf } from './query-compile.ts'
import { emptyRange, plainRead, type RangeDraft, type ReadOptionsDraft } from './query-draft.ts'

/** Bytes of each value that an answer brings along. */
const valueBytesMax = 512

/** How often the range is read, and by whom. */
export type ReadsKind = 'linearizable' | 'serializable' | 'both' | 'members'

export interface RangeFormDraft {
  readonly range: RangeDraft
  readonly options: ReadOptionsDraft
  readonly reads: ReadsKind
}

/** Everything, newest, once. */
export const emptyRangeForm: RangeFormDraft = {
  range: { ...emptyRange, kind: 'prefix' },
  options: plainRead,
  reads: 'both',
}

/** One of the answers that stand beside each other. */
export interface RangeAnswer {
  readonly id: string
  readonly isSerializable: boolean
  /** The member that was asked alone; absent: whoever serves the connection. */
  readonly askedMemberId?: bigint
  readonly status: 'loading' | 'ready' | 'failed'
  readonly reply?: QueryRangeReply
  readonly error?: unknown
}

const rangeJsonSchema = z.object({
  range: z.object({
    kind: z.enum(['key', 'prefix', 'interval', 'from', 'all']),
    key: z.string(),
    end: z.string(),
  }),
  options: z.object({
    limit: z.string(),
    revision: z.string(),
    sortBy: z.enum(['key', 'version', 'createRevision', 'modRevision', 'value']),
    isDescending: z.boolean(),
    isKeysOnly: z.boolean(),
    isCountOnly: z.boolean(),
    minModRevision: z.string(),
    maxModRevision: z.string(),
    minCreateRevision: z.string(),
    maxCreateRevision: z.string(),
  }),
  reads: z.enum(['linearizable', 'serializable', 'both', 'members']),
})

/** The form as text, to be kept. */
export function textOfRangeForm(form: RangeFormDraft): string {
  return JSON.stringify(form)
}

/** The form that a kept text stands for; undefined for one of another version. */
export function rangeFormOfText(text: string): RangeFormDraft | undefined {
  try {
    const parsed = rangeJsonSchema.safeParse(JSON.parse(text))
    return parsed.success ? parsed.data : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** What keeps a form from being run. */
export function rangeFormProblem(form: RangeFormDraft): ProblemCode | undefined {
  return rangeProblem(form.range) ?? (areReadNumbersGood(form.options) ? undefined : 'badNumber')
}

/** The answers that a form asks for, none of them there yet. */
export function askedAnswers(
  reads: ReadsKind,
  memberIds: readonly bigint[],
): readonly RangeAnswer[] {
  const linearizable = { id: 'linearizable', isSerializable: false, status: 'loading' } as const
  const serializable = { id: 'serializable', isSerializable: true, status: 'loading' } as const
  switch (reads) {
    case 'linearizable':
      return [linearizable]
    case 'serializable':
      return [serializable]
    case 'both':
      return [linearizable, serializable]
    case 'members':
      return [
        linearizable,
        ...memberIds.map((askedMemberId) => ({
          ...serializable,
          id: `member-${askedMemberId.toString(16)}`,
          askedMemberId,
        })),
      ]
  }
}

/** Asks for one answer. Never rejects: a refusal is an answer too. */
export async function ask(
  connectionId: string,
  form: RangeFormDraft,
  answer: RangeAnswer,
): Promise<RangeAnswer> {
  const range = rangeOfDraft(form.range)
  const options = readOptionsOf(form.options)
  if (range === undefined || options === undefined) {
    return { ...answer, status: 'failed', error: new Error('the form is not filled in') }
  }
  const { isKeysOnly = false, isCountOnly = false, revision = 0 } = options
  const { askedMemberId, isSerializable } = answer
  const request: QueryRangeRequest = {
    ...options,
    ...{ connectionId, range, isKeysOnly, isCountOnly, revision, isSerializable, valueBytesMax },
    target:
      askedMemberId === undefined
        ? { kind: 'active' }
        : { kind: 'member', memberId: askedMemberId },
  }
  try {
    return { ...answer, status: 'ready', reply: await queryApi.range(request) }
  } catch (error) {
    return { ...answer, status: 'failed', error }
  }
}

/** Keys that not every answer shows in the same state, by their text. */
export function differingKeys(answers: readonly RangeAnswer[]): ReadonlySet<string> {
  const replies = answers.flatMap((answer) => answer.reply ?? [])
  const differing = new Set<string>()
  if (replies.length < 2) return differing
  const states = new Map<string, { readonly modRevision: number; seenCount: number }>()
  for (const { columns } of replies) {
    for (let row = 0; row < columns.rowCount; row++) {
      const { key, modRevision } = keyRowAt(columns, row)
      const name = keyText(key)
      const state = states.get(name)
      if (state === undefined) states.set(name, { modRevision, seenCount: 1 })
      else if (state.modRevision === modRevision) state.seenCount++
      else differing.add(name)
    }
  }
  for (const [name, { seenCount }] of states) {
    if (seenCount < replies.length) differing.add(name)
  }
  return differing
}
