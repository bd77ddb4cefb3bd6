import { computed, ref, shallowRef, watch } from 'vue'
import type { ComputedRef, Ref, ShallowRef, WritableComputedRef } from 'vue'
import { hasLines } from '../../../editor/value-language.ts'
import { base64Text, escapedText, findText } from '../../../format/bytes-text.ts'
import type { DecodedValue } from '../../../values/decode-value.ts'
import { layOutJson } from '../../../values/json-layout.ts'
import { languageOf, type TextLanguage } from '../../../values/text-language.ts'
import { detectValueKind, isImageKind, type ValueKind } from '../../../values/value-kind.ts'
import { ValueTaskError, valueTask } from '../../../values/value-worker-client.ts'

/** Ways in which a value can be shown. */
export type ValueView = 'json' | 'text' | 'yaml' | 'decoded' | 'image' | 'hex' | 'base64'

/** What is shown of a value. */
export interface ShownText {
  readonly text: string
  readonly language: TextLanguage
}

/** The value of a key as the user looks at it. */
export interface ValueViewState {
  readonly kind: ComputedRef<ValueKind | undefined>
  readonly views: ComputedRef<readonly ValueView[]>
  readonly view: WritableComputedRef<ValueView>
  /** Undefined while it is made, or when it cannot be. */
  readonly shown: ComputedRef<ShownText | undefined>
  readonly decoded: Readonly<ShallowRef<DecodedValue | undefined>>
  readonly failure: Ref<string>
  /** Shown without colours and layout because of its size. */
  readonly isPlainMode: ComputedRef<boolean>
  /** Only the beginning is shown. */
  readonly isHeadOnly: ComputedRef<boolean>
}

/** Above this size a value is shown plain. */
export const plainAboveBytes = 1024 * 1024
/** Above this size only the beginning is shown. */
export const headAboveBytes = 8 * 1024 * 1024
/** Up to this size JSON is laid out at once; above it, in the worker. */
const layOutAtOnceBytesMax = 128 * 1024

/** The views that a value offers, the best one first. */
export function viewsOf({ kind, isText }: ValueKind, sizeBytes: number): readonly ValueView[] {
  if (sizeBytes > headAboveBytes) return ['hex']
  if (isImageKind(kind)) return ['image', 'hex', 'base64']
  if (kind === 'gzip' || kind === 'zlib' || kind === 'kubernetes')
    return ['decoded', 'hex', 'base64']
  if (kind === 'jwt' || kind === 'base64') return ['decoded', 'text', 'hex']
  if (kind === 'json' && sizeBytes <= plainAboveBytes) return ['json', 'text', 'yaml', 'hex']
  return isText ? ['text', 'hex'] : ['hex', 'text', 'base64']
}

/** Looks at a value. `language` is the one that the user chose by hand for text. */
export function useValueView(options: {
  readonly value: () => Uint8Array | undefined
  readonly language: () => TextLanguage | undefined
  /** Differs for every opened key: a view that was chosen for one is not carried to the next. */
  readonly subject: () => unknown
}): ValueViewState {
  const { value } = options
  const kind = computed(() => {
    const bytes = value()
    return bytes === undefined ? undefined : detectValueKind(bytes)
  })
  const sizeBytes = computed(() => value()?.length ?? 0)
  const views = computed(() =>
    kind.value === undefined ? [] : viewsOf(kind.value, sizeBytes.value),
  )
  const chosen = ref<ValueView>()
  watch(options.subject, () => {
    chosen.value = undefined
  })
  const view = computed<ValueView>({
    get: () =>
      chosen.value !== undefined && views.value.includes(chosen.value)
        ? chosen.value
        : (views.value[0] ?? 'text'),
    set: (next) => {
      chosen.value = next
    },
  })
  const { made, decoded, failure } = useMadeViews({ value, views, view })
  const shown = computed((): ShownText | undefined => {
    const bytes = value()
    if (bytes === undefined || kind.value === undefined) return undefined
    const text = plainText(bytes, view.value)
    if (text === undefined)
      return made.value?.value === bytes && made.value.view === view.value
        ? made.value.shown
        : undefined
    const language = view.value === 'json' ? 'json' : languageOf(kind.value.kind)
    const isOwn = view.value === 'text' && kind.value.isText
    return {
      text,
      language: isOwn ? (options.language() ?? language) : textual(view.value, language),
    }
  })
  return {
    kind,
    views,
    view,
    shown,
    decoded,
    failure,
    isPlainMode: computed(() => sizeBytes.value > plainAboveBytes && kind.value?.isText === true),
    isHeadOnly: computed(() => sizeBytes.value > headAboveBytes),
  }
}

/** The text of a view that costs next to nothing; undefined for one that has to be made. */
function plainText(bytes: Uint8Array, view: ValueView): string | undefined {
  if (view === 'base64') return base64Text(bytes)
  if (view === 'text') return findText(bytes) ?? escapedText(bytes)
  if (view !== 'json') return undefined
  const text = findText(bytes) ?? ''
  if (hasLines(text)) return text
  return bytes.length <= layOutAtOnceBytesMax ? layOutJson(text) : undefined
}

function textual(view: ValueView, language: TextLanguage): TextLanguage {
  return view === 'json' ? language : 'plaintext'
}

/** What the worker makes: one view at a time, and what is packed inside of the value. */
function useMadeViews(options: {
  readonly value: () => Uint8Array | undefined
  readonly views: ComputedRef<readonly ValueView[]>
  readonly view: Ref<ValueView>
}): {
  made: Ref<{ value: Uint8Array; view: ValueView; shown: ShownText } | undefined>
  decoded: ShallowRef<DecodedValue | undefined>
  failure: Ref<string>
} {
  const { value, views, view } = options
  const made = shallowRef<{ value: Uint8Array; view: ValueView; shown: ShownText }>()
  const decoded = shallowRef<DecodedValue>()
  const failure = ref('')

  async function make(bytes: Uint8Array, wanted: ValueView): Promise<void> {
    const shown = await madeText(bytes, wanted)
    if (bytes === value() && wanted === view.value && shown !== undefined)
      made.value = { value: bytes, view: wanted, shown }
  }

  async function decode(bytes: Uint8Array): Promise<void> {
    const found = await valueTask({ kind: 'decode', bytes })
    if (bytes !== value()) return
    decoded.value = found
    const text = found.text ?? escapedText(found.bytes.subarray(0, plainAboveBytes))
    made.value = { value: bytes, view: 'decoded', shown: { text, language: found.language } }
  }

  async function tell(task: Promise<void>): Promise<void> {
    try {
      await task
    } catch (error) {
      if (!(error instanceof ValueTaskError)) throw error
      failure.value = error.message
    }
  }

  watch(
    () => [value(), view.value] as const,
    ([bytes, wanted], before) => {
      failure.value = ''
      if (bytes !== before?.[0]) decoded.value = undefined
      if (bytes === undefined) return
      const isPacked = views.value.includes('decoded')
      if (isPacked && (decoded.value === undefined || wanted === 'decoded'))
        void tell(decode(bytes))
      else if (wanted === 'yaml' || wanted === 'json') void tell(make(bytes, wanted))
    },
    { immediate: true },
  )
  return { made, decoded, failure }
}

async function madeText(bytes: Uint8Array, view: ValueView): Promise<ShownText | undefined> {
  const text = findText(bytes) ?? ''
  if (view === 'json' && (hasLines(text) || bytes.length <= layOutAtOnceBytesMax)) return undefined
  const made = await valueTask({ kind: view === 'yaml' ? 'toYaml' : 'layOut', text })
  return { text: made ?? text, language: view === 'yaml' ? 'yaml' : 'json' }
}
