/**
 * Comparisons of our node's answers with a real etcd's, counted: a test that compares nothing does not count, and one that
 * compares a hundred cells counts as a hundred.
 */
import { appendFileSync } from 'node:fs'
import { expect, inject } from 'vitest'

declare module 'vitest' {
  interface ProvidedContext {
    /** File that gets one line per comparison, the name of its family. */
    comparisonLog: string
  }
}

/** Notes comparisons that were made without {@link expectAlike}. */
export function noteComparisons(family: string, count = 1): void {
  appendFileSync(inject('comparisonLog'), `${family}\n`.repeat(count))
}

/**
 * Our answer is the real one's in every field.
 *
 * @param family  the method's path, or what else the comparison belongs to
 */
export function expectAlike(
  family: string,
  answers: { readonly etcd: unknown; readonly quorate: unknown },
  label = family,
): void {
  noteComparisons(family)
  expect(answers.quorate, label).toEqual(answers.etcd)
}
