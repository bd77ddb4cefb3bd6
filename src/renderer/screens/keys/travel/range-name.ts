import type { KeyRange } from '../../../../preload/contract/kv.ts'
import { subjectOf } from '../../../stores/key-subject.ts'

/** A range as a name in titles; the whole key space is named as such. */
export function nameOfRange(range: KeyRange, t: (key: string) => string): string {
  const subject = subjectOf(range)
  return subject === '' ? t('travel.allKeys') : subject
}
