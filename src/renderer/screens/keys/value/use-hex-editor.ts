import { computed, ref, shallowRef, watch } from 'vue'
import type { ComputedRef, Ref } from 'vue'
import { hexText, sameBytes } from '../../../format/bytes-text.ts'
import { bytesOfHex, findBytes, HexDocument } from '../../../values/hex-document.ts'

/** Bytes of one row. */
export const rowBytes = 16

/** The part of the row that takes what is typed. */
export type HexPane = 'hex' | 'text'

/** Cursor, selection and changes of the bytes that are shown. */
export interface HexEditor {
  readonly bytes: ComputedRef<Uint8Array>
  readonly cursor: Ref<number>
  readonly pane: Ref<HexPane>
  readonly isInserting: Ref<boolean>
  /** First and last selected byte; the cursor alone is a selection of one. */
  readonly selection: ComputedRef<{ readonly first: number; readonly last: number }>
  readonly selectedText: () => string
  /** Moves the cursor; with `isExtending` the selection grows from where it began. */
  readonly moveTo: (at: number, isExtending?: boolean) => void
  readonly select: (first: number, length: number) => void
  /** Handles a key that writes; false: the key is none of them. */
  readonly type: (event: KeyboardEvent) => boolean
  readonly paste: (text: string) => void
  /** Selects the next place of some bytes; false: there is none. */
  readonly find: (wanted: Uint8Array, step: 1 | -1) => boolean
}

/** Edits bytes. Each change comes out at once; the same bytes coming back in keep cursor and undo. */
export function useHexEditor(options: {
  readonly value: () => Uint8Array
  readonly isReadOnly: () => boolean
  readonly change: (bytes: Uint8Array) => void
}): HexEditor {
  let document = new HexDocument(options.value())
  const bytes = shallowRef(document.bytes)
  const cursor = ref(0)
  const anchor = ref(0)
  const pane = ref<HexPane>('hex')
  const isInserting = ref(false)
  /** The first digit of a byte was typed; the next one is its second. */
  let isHalf = false

  watch(options.value, (next) => {
    if (sameBytes(next, document.bytes)) return
    document = new HexDocument(next)
    bytes.value = next
    moveTo(Math.min(cursor.value, next.length))
  })

  const end = (): number =>
    options.isReadOnly() ? Math.max(0, bytes.value.length - 1) : bytes.value.length
  const selection = computed(() => ({
    first: Math.min(anchor.value, cursor.value),
    last: Math.max(anchor.value, cursor.value),
  }))

  function moveTo(at: number, isExtending = false): void {
    cursor.value = Math.max(0, Math.min(end(), at))
    if (!isExtending) anchor.value = cursor.value
    isHalf = false
  }

  function select(first: number, length: number): void {
    anchor.value = Math.max(0, Math.min(end(), first))
    cursor.value = Math.max(anchor.value, Math.min(end(), first + length - 1))
    isHalf = false
  }

  function tell(): void {
    bytes.value = document.bytes
    options.change(document.bytes)
  }

  /** Puts bytes in place of the selection, or at the cursor. */
  function put(inserted: Uint8Array): void {
    const { first, last } = selection.value
    const isSelected = last > first
    const removed = isSelected ? last - first + 1 : isInserting.value ? 0 : inserted.length
    document.replace(first, removed, inserted)
    tell()
    moveTo(first + inserted.length)
  }

  function typeDigit(digit: number): void {
    const { first, last } = selection.value
    const now = document.bytes[cursor.value]
    if (isHalf && now !== undefined && first === last) {
      document.replace(cursor.value, 1, Uint8Array.of((now & 0xf0) | digit))
      tell()
      moveTo(cursor.value + 1)
      return
    }
    const isNew = isInserting.value || last > first || now === undefined
    put(Uint8Array.of(isNew ? digit << 4 : (digit << 4) | (now & 0x0f)))
    moveTo(first)
    isHalf = true
  }

  function remove(back: boolean): void {
    const { first, last } = selection.value
    if (last > first) document.replace(first, last - first + 1, new Uint8Array(0))
    else if (back && first === 0) return
    else document.replace(back ? first - 1 : first, 1, new Uint8Array(0))
    tell()
    moveTo(last > first || !back ? first : first - 1)
  }

  function step(at: number | undefined): void {
    if (at === undefined) return
    tell()
    moveTo(at)
  }

  function typeCommand(event: KeyboardEvent): boolean {
    const key = event.key.toLowerCase()
    if (key === 'z') step(event.shiftKey ? document.redo() : document.undo())
    else if (key === 'y') step(document.redo())
    else return false
    return true
  }

  function type(event: KeyboardEvent): boolean {
    if (options.isReadOnly() || event.altKey || event.isComposing) return false
    if (event.ctrlKey || event.metaKey) return typeCommand(event)
    if (event.key === 'Insert') isInserting.value = !isInserting.value
    else if (event.key === 'Backspace' || event.key === 'Delete') remove(event.key === 'Backspace')
    else if (event.key.length !== 1) return false
    else if (pane.value === 'text') put(new TextEncoder().encode(event.key))
    else if (/^[\da-f]$/iu.test(event.key)) typeDigit(Number.parseInt(event.key, 16))
    else return event.key === ' '
    return true
  }

  function paste(text: string): void {
    if (options.isReadOnly()) return
    const digits = text.replaceAll(/\s/gu, '')
    const isHex = pane.value === 'hex' && /^(?:[\da-f]{2})+$/iu.test(digits)
    put(isHex ? bytesOfHex(digits) : new TextEncoder().encode(text))
  }

  function find(wanted: Uint8Array, direction: 1 | -1): boolean {
    const from = selection.value.first
    const isHere = selection.value.last - from + 1 === wanted.length && wanted.length > 0
    const at = findBytes(bytes.value, wanted, isHere ? from + direction : from, direction)
    if (at >= 0) select(at, wanted.length)
    return at >= 0
  }

  return {
    bytes: computed(() => bytes.value),
    cursor,
    pane,
    isInserting,
    selection,
    selectedText: () => {
      const { first, last } = selection.value
      const part = bytes.value.subarray(first, last + 1)
      return pane.value === 'hex' ? hexText(part, ' ') : new TextDecoder().decode(part)
    },
    moveTo,
    select,
    type,
    paste,
    find,
  }
}
