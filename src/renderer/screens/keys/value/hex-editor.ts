import { computed, ref, shallowRef, watch } from 'vue'
import type { ShallowRef } from 'vue'
import { hexText, sameBytes } from '../../../format/bytes-text.ts'
import { bytesOfHex, findBytes, HexDocument } from '../../../values/hex-document.ts'

/** Bytes of one row. */
export const rowBytes = 16

/** The part of the row that takes what is typed. */
export type HexPane = 'hex' | 'text'

/** What the owner of the bytes gives and takes. */
interface HexEditorOptions {
  readonly value: () => Uint8Array
  readonly isReadOnly: () => boolean
  /** Each change comes out at once; the same bytes coming back in keep cursor and undo. */
  readonly change: (bytes: Uint8Array) => void
}

/** Cursor, selection and changes of the bytes that are shown. */
export class HexEditor {
  readonly bytes: ShallowRef<Uint8Array>
  readonly cursor = ref(0)
  readonly pane = ref<HexPane>('hex')
  readonly isInserting = ref(false)
  /** First and last selected byte; the cursor alone is a selection of one. */
  readonly selection = computed(() => ({
    first: Math.min(this.anchor.value, this.cursor.value),
    last: Math.max(this.anchor.value, this.cursor.value),
  }))
  private readonly anchor = ref(0)
  private readonly options: HexEditorOptions
  private document: HexDocument
  /** The first digit of a byte was typed; the next one is its second. */
  private isHalf = false

  constructor(options: HexEditorOptions) {
    this.options = options
    this.document = new HexDocument(options.value())
    this.bytes = shallowRef(this.document.bytes)
    watch(options.value, (next) => {
      if (sameBytes(next, this.document.bytes)) return
      this.document = new HexDocument(next)
      this.bytes.value = next
      this.moveTo(this.cursor.value)
    })
  }

  selectedText(): string {
    const { first, last } = this.selection.value
    const part = this.bytes.value.subarray(first, last + 1)
    return this.pane.value === 'hex' ? hexText(part, ' ') : new TextDecoder().decode(part)
  }

  /** Moves the cursor; with `isExtending` the selection grows from where it began. */
  moveTo(at: number, isExtending = false): void {
    this.cursor.value = this.clamped(at)
    if (!isExtending) this.anchor.value = this.cursor.value
    this.isHalf = false
  }

  select(first: number, length: number): void {
    this.anchor.value = this.clamped(first)
    this.cursor.value = Math.max(this.anchor.value, this.clamped(first + length - 1))
    this.isHalf = false
  }

  /** Handles a key that writes; false: the key is none of them. */
  type(event: KeyboardEvent): boolean {
    if (this.options.isReadOnly() || event.altKey || event.isComposing) return false
    const { key } = event
    if (event.ctrlKey || event.metaKey) return this.typeCommand(event)
    if (key === 'Insert') this.isInserting.value = !this.isInserting.value
    else if (key === 'Backspace' || key === 'Delete') this.remove(key === 'Backspace')
    else if (key.length !== 1) return false
    else if (this.pane.value === 'text') this.put(new TextEncoder().encode(key))
    else if (/^[\da-f]$/iu.test(key)) this.typeDigit(Number.parseInt(key, 16))
    else return key === ' '
    return true
  }

  paste(text: string): void {
    if (this.options.isReadOnly()) return
    const digits = text.replaceAll(/\s/gu, '')
    const isHex = this.pane.value === 'hex' && /^(?:[\da-f]{2})+$/iu.test(digits)
    this.put(isHex ? bytesOfHex(digits) : new TextEncoder().encode(text))
  }

  /** Selects the next place of some bytes; false: there is none. */
  find(wanted: Uint8Array, step: 1 | -1): boolean {
    const { first, last } = this.selection.value
    const isHere = wanted.length > 0 && last - first + 1 === wanted.length
    const at = findBytes(this.bytes.value, wanted, isHere ? first + step : first, step)
    if (at >= 0) this.select(at, wanted.length)
    return at >= 0
  }

  /** While writing, the place behind the last byte is one too. */
  private clamped(at: number): number {
    const { length } = this.bytes.value
    const end = this.options.isReadOnly() ? Math.max(0, length - 1) : length
    return Math.max(0, Math.min(end, at))
  }

  private tell(): void {
    this.bytes.value = this.document.bytes
    this.options.change(this.document.bytes)
  }

  /** Puts bytes in place of the selection, or at the cursor. */
  private put(inserted: Uint8Array): void {
    const { first, last } = this.selection.value
    const replaced = this.isInserting.value ? 0 : inserted.length
    this.document.replace(first, last > first ? last - first + 1 : replaced, inserted)
    this.tell()
    this.moveTo(first + inserted.length)
  }

  private typeDigit(digit: number): void {
    const { first, last } = this.selection.value
    const now = this.document.bytes[first]
    if (this.isHalf && now !== undefined && first === last) {
      this.document.replace(first, 1, Uint8Array.of((now & 0xf0) | digit))
      this.tell()
      this.moveTo(first + 1)
      return
    }
    const isNew = this.isInserting.value || last > first || now === undefined
    this.put(Uint8Array.of(isNew ? digit << 4 : (digit << 4) | (now & 0x0f)))
    this.moveTo(first)
    this.isHalf = true
  }

  private remove(isBack: boolean): void {
    const { first, last } = this.selection.value
    const isSelected = last > first
    if (!isSelected && isBack && first === 0) return
    const at = !isSelected && isBack ? first - 1 : first
    this.document.replace(at, isSelected ? last - first + 1 : 1, new Uint8Array(0))
    this.tell()
    this.moveTo(at)
  }

  private typeCommand(event: KeyboardEvent): boolean {
    const key = event.key.toLowerCase()
    if (key !== 'z' && key !== 'y') return false
    const isRedo = key === 'y' || event.shiftKey
    const at = isRedo ? this.document.redo() : this.document.undo()
    if (at === undefined) return true
    this.tell()
    this.moveTo(at)
    return true
  }
}
