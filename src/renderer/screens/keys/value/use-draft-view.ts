import { computed } from 'vue'
import type { ComputedRef, WritableComputedRef } from 'vue'
import { useI18n } from 'vue-i18n'
import type { EditorHandle } from '../../../editor/editor-handle.ts'
import { isText } from '../../../format/bytes-text.ts'
import { draftBytes, type KeyDetail } from '../../../stores/key-detail.ts'
import { useToastStore } from '../../../stores/toasts.ts'
import { canFormat, type TextLanguage } from '../../../values/text-language.ts'
import { ValueTaskError, valueTask } from '../../../values/value-worker-client.ts'
import type { ValueView, ValueViewState } from './use-value-view.ts'

/** The views of a value while it is read, and those of the draft while it is written. */
export interface DraftView {
  readonly views: ComputedRef<readonly ValueView[]>
  readonly view: WritableComputedRef<ValueView>
  readonly hasLanguage: ComputedRef<boolean>
  readonly isFormattable: ComputedRef<boolean>
  readonly showNext: () => void
  /** Lays out what is being written. */
  readonly format: () => Promise<void>
}

/** Puts reading and writing under one choice of views. */
export function useDraftView(options: {
  readonly detail: () => KeyDetail
  readonly look: ValueViewState
  readonly language: () => TextLanguage
  readonly editor: () => EditorHandle | undefined
}): DraftView {
  const { detail, look } = options
  const { t } = useI18n()
  const toasts = useToastStore()
  const draft = computed(() => detail().draft.value)
  const isWritable = computed(() => draft.value !== undefined)
  const views = computed((): readonly ValueView[] => {
    const bytes = draft.value?.bytes
    if (draft.value === undefined) return look.views.value
    return bytes !== undefined && !(isText(bytes.now) && isText(bytes.base))
      ? ['hex']
      : ['text', 'hex']
  })
  const view = computed<ValueView>({
    get: () => {
      if (draft.value === undefined) return look.view.value
      return draft.value.bytes === undefined ? 'text' : 'hex'
    },
    set: (next) => {
      if (draft.value === undefined) look.view.value = next
      else detail().writeAs(next === 'hex' ? 'bytes' : 'text')
    },
  })
  const isOwnText = computed(() =>
    isWritable.value
      ? draft.value?.bytes === undefined
      : look.view.value === 'text' && look.kind.value?.isText === true,
  )
  const isFormattable = computed(
    () => isWritable.value && isOwnText.value && canFormat(options.language()),
  )

  async function format(): Promise<void> {
    const before = draft.value
    if (before === undefined || !isFormattable.value) return
    try {
      const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(draftBytes(before))
      const reply = await valueTask({ kind: 'format', language: options.language(), text })
      // What was written meanwhile is worth more than the layout of what stood there before.
      if (draft.value !== before) return
      if (reply.kind === 'formatted') options.editor()?.replaceAll(reply.text)
      else {
        const reason =
          reply.reason === 'invalid' ? 'value.formatInvalid' : 'value.formatWouldChange'
        toasts.show({ icon: 'warn', tone: 'danger', text: t(reason) })
      }
    } catch (failure) {
      if (!(failure instanceof ValueTaskError)) throw failure
      toasts.show({ icon: 'warn', tone: 'danger', text: failure.message })
    }
  }

  function showNext(): void {
    const all = views.value
    const next = all[(all.indexOf(view.value) + 1) % all.length]
    if (next !== undefined) view.value = next
  }

  return { views, view, hasLanguage: isOwnText, isFormattable, showNext, format }
}
