/** A revision as a person types it. */

import { revisionText } from '../format/quantity-text.ts'

/** The revision of a text such as `r88120`, `88120`, `head` or nothing (0: the head); undefined when it is none. */
export function parseRevision(text: string): number | undefined {
  const typed = text.trim().toLowerCase()
  if (typed === '' || typed === 'head') return 0
  const digits = /^r?([0-9]{1,16})$/u.exec(typed)?.[1]
  const revision = digits === undefined ? Number.NaN : Number(digits)
  return Number.isSafeInteger(revision) && revision > 0 ? revision : undefined
}

/** What stands in the field for a revision; nothing for the head. */
export function revisionEntry(revision: number): string {
  return revision === 0 ? '' : revisionText(revision)
}
