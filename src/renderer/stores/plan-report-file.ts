/** A report as a file: JSON, every key as text and, where it is none, as base64. */

import type { PlanReport } from '../../preload/contract/plan.ts'
import { base64Text, findText, textBytes } from '../format/bytes-text.ts'

/** The bytes of the file. */
export function reportBytes(report: PlanReport): Uint8Array {
  const { lines, subject, startedAtMs, finishedAtMs, error, ...counts } = report
  const content = {
    ...counts,
    subject: keyField(subject),
    startedAt: new Date(startedAtMs).toISOString(),
    finishedAt: new Date(finishedAtMs).toISOString(),
    ...(error === undefined ? {} : { endedBy: error.message }),
    keys: lines.map(({ key, act, outcome, reason }) => ({
      ...keyField(key),
      act,
      outcome,
      reason,
    })),
  }
  return textBytes(`${JSON.stringify(content, undefined, 2)}\n`)
}

/** The name that the file is offered under. */
export function reportFileName(report: PlanReport): string {
  const time = new Date(report.startedAtMs).toISOString().slice(0, 19).replaceAll(':', '-')
  return `quorate-${report.sourceKind}-${time}.json`
}

function keyField(key: Uint8Array): { readonly key: string } | { readonly keyBase64: string } {
  const text = findText(key)
  return text === undefined ? { keyBase64: base64Text(key) } : { key: text }
}
