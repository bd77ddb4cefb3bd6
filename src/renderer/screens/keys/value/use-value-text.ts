import { computed, onMounted } from 'vue'
import type { ComputedRef, WritableComputedRef } from 'vue'
import { useI18n } from 'vue-i18n'
import { hasLines, hasMixedLineEnds } from '../../../editor/value-language.ts'
import { findText } from '../../../format/bytes-text.ts'
import { countText, sizeText } from '../../../format/quantity-text.ts'
import { jsonFaultOffset } from '../../../stores/json-fault.ts'
import { draftBytes, type KeyDetail } from '../../../stores/key-detail.ts'
import { useValueLanguageStore } from '../../../stores/value-languages.ts'
import { languageOf, type TextLanguage } from '../../../values/text-language.ts'
import { detectValueKind } from '../../../values/value-kind.ts'
import { useValueView, type ValueViewState } from './use-value-view.ts'
import { decodedFacts, lineEndText, timeFacts, type ValueFact } from './value-facts.ts'

/** As much is shown of a value that is too large for its views. */
export const headShownBytes = 64 * 1024
/** What servers take in one request unless they are told otherwise. */
const requestBytesUsual = 1_572_864
/** Times are looked for in values up to this size. */
const timesBytesMax = 64 * 1024

/** The value of an opened key as text, and what there is to say about it. */
export interface ValueText {
  readonly look: ValueViewState
  /** Of the text that is read or written; choosing another one keeps it for the key's folder. */
  readonly language: WritableComputedRef<TextLanguage>
  readonly facts: ComputedRef<readonly ValueFact[]>
  /** What is being written, if that is text. */
  readonly draftText: ComputedRef<string | undefined>
}

/** Looks at the value of an opened key. */
export function useValueText(detail: () => KeyDetail): ValueText {
  const languages = useValueLanguageStore()
  const value = computed(() => detail().shown.value?.value)
  const byHand = computed(() => languages.find(detail().connectionId, detail().key))
  const look = useValueView({
    value: () => value.value,
    language: () => byHand.value,
    subject: () => detail().id,
  })
  const draftText = computed(() => {
    const draft = detail().draft.value
    return draft?.bytes === undefined ? draft?.text : undefined
  })
  /** A new value has no kind before something is written; its first words tell it. */
  const draftKind = computed(() => {
    const draft = detail().draft.value
    if (draft === undefined) return undefined
    const known = draft.baseText === '' ? draft.text.slice(0, 4096) : draft.baseText
    return known.length > 4096 ? undefined : known
  })
  const language = computed<TextLanguage>({
    get: () => {
      if (byHand.value !== undefined) return byHand.value
      const kind = look.kind.value?.kind ?? 'plain'
      if (kind !== 'plain' && kind !== 'empty') return languageOf(kind)
      return languageOf(detectValueKind(new TextEncoder().encode(draftKind.value ?? '')).kind)
    },
    set: (next) => {
      const { connectionId, key } = detail()
      void languages.choose({ connectionId, key }, next)
    },
  })
  onMounted(() => void languages.load())
  return { look, language, facts: useFacts(detail, look), draftText }
}

function useFacts(
  detail: () => KeyDetail,
  look: ValueViewState,
): ComputedRef<readonly ValueFact[]> {
  const { t } = useI18n()
  const value = computed(() => detail().shown.value?.value)
  const text = computed(() =>
    value.value === undefined || look.kind.value?.isText !== true
      ? undefined
      : findText(value.value),
  )
  const draftFact = computed((): ValueFact | undefined => {
    const draft = detail().draft.value
    // A character takes three bytes at most: short texts need not be measured.
    if (draft === undefined || (draft.bytes?.now ?? draft.text).length * 3 <= requestBytesUsual)
      return undefined
    const sizeBytes = draftBytes(draft).length
    if (sizeBytes <= requestBytesUsual) return undefined
    return {
      ...{ icon: 'warn', tone: 'warn' },
      text: t('value.overLimit', { size: sizeText(sizeBytes) }),
    }
  })
  const sizeFact = computed((): ValueFact | undefined => {
    if (draftFact.value !== undefined) return draftFact.value
    const bytes = value.value
    if (bytes === undefined) return undefined
    const size = sizeText(bytes.length)
    if (look.isHeadOnly.value) {
      const shown = sizeText(headShownBytes)
      return { icon: 'warn', tone: 'warn', text: t('value.headOnly', { size, shown }) }
    }
    if (!look.isPlainMode.value) return undefined
    return { icon: 'info', tone: 'plain', text: t('value.plainMode', { size }) }
  })
  const baseText = computed(() => detail().draft.value?.baseText)
  const hasMixedEnds = computed(
    () => baseText.value !== undefined && hasMixedLineEnds(baseText.value),
  )
  const contentFacts = computed((): readonly ValueFact[] => {
    const kind = look.kind.value
    if (kind === undefined) return []
    const facts: ValueFact[] = []
    if (look.decoded.value !== undefined) facts.push(...decodedFacts(look.decoded.value, t))
    else if (text.value !== undefined && text.value.length <= timesBytesMax)
      facts.push(...timeFacts(text.value, t))
    if (kind.kind === 'badJson') {
      const before = (text.value ?? '').slice(0, jsonFaultOffset(text.value ?? '')).split('\n')
      const column = (before.at(-1)?.length ?? 0) + 1
      const place = { line: countText(before.length), column: countText(column) }
      facts.push({ icon: 'warn', tone: 'warn', text: t('value.badJson', place) })
    }
    const ends = lineEndText(text.value ?? '', kind, t)
    if (ends !== '' && ends !== t('value.lineEnds.lf'))
      facts.push({ icon: 'enter', tone: 'plain', text: ends })
    return facts
  })
  return computed(() => {
    const facts: ValueFact[] = []
    const isWriting = detail().draft.value !== undefined
    if (hasMixedEnds.value) facts.push({ icon: 'warn', tone: 'warn', text: t('key.mixedEnds') })
    if (sizeFact.value !== undefined) facts.push(sizeFact.value)
    facts.push(...contentFacts.value)
    const isLaidOut =
      look.view.value === 'json' && (text.value?.length ?? 0) > 2 && !hasLines(text.value ?? '')
    if (!isWriting && isLaidOut) facts.push({ icon: 'info', tone: 'plain', text: t('key.laidOut') })
    if (!isWriting && look.kind.value?.isText === false && look.view.value === 'text')
      facts.push({ icon: 'info', tone: 'plain', text: t('value.escaped') })
    return facts
  })
}
