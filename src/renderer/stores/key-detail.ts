/**
 * One opened key: its value at the head or as of an older revision, its past, and the text that the user is writing.
 *
 * A watch on the key keeps all of it current. A draft is never touched by what arrives: saving compares the key's mod
 * revision with the one the draft started from, and a difference is shown instead of overwritten.
 */

import { computed, shallowRef } from 'vue'
import type { HistoryRow } from '../../preload/contract/history-columns.ts'
import type { DeleteKeysReply, KeyValue, PutReply } from '../../preload/contract/kv.ts'
import type { Subscription } from '../../preload/contract/reply.ts'
import type { WatchItem } from '../../preload/contract/watch.ts'
import { kvApi } from '../api/kv-api.ts'
import { streamApi } from '../api/stream-api.ts'
import { findText, isText, sameBytes, textBytes } from '../format/bytes-text.ts'
import { KeyHistory } from './key-history.ts'

/** The list of revisions shows one line of each value; the whole of it is read when a revision is chosen. */
const watchValueBytesMax = 120

/** Text being written, and the revision it started from; 0 for a key that does not exist. */
export interface Draft {
  readonly text: string
  readonly baseModRevision: number
  readonly baseText: string
  /** Lease that saving attaches, 0 for none; absent: the key keeps the one that it has. */
  readonly lease?: bigint
  /** What is written instead of text, where the value is none or the user asked for its bytes. */
  readonly bytes?: { readonly now: Uint8Array; readonly base: Uint8Array }
}

/** What saving a draft would store. */
export function draftBytes(draft: Draft): Uint8Array {
  return draft.bytes?.now ?? textBytes(draft.text)
}

let lastId = 0

/** One opened key of one connection. */
export class KeyDetail {
  /** Differs for each opened key, also when the same one is opened again. */
  readonly id = ++lastId
  readonly connectionId: string
  readonly key: Uint8Array
  readonly status = shallowRef<'idle' | 'loading' | 'ready' | 'failed'>('idle')
  readonly error = shallowRef<unknown>()
  /** The key at the head; undefined when it does not exist there. */
  readonly head = shallowRef<KeyValue>()
  readonly headRevision = shallowRef(0)
  /** The revision that the whole tab reads as of; 0: the head. Its history ends there. */
  readonly asOf = shallowRef(0)
  /** An older revision that is shown instead of the head, and the key as it was then. */
  readonly past = shallowRef<{ readonly revision: number; readonly pair: KeyValue | undefined }>()
  readonly history: KeyHistory
  readonly draft = shallowRef<Draft>()
  /** What stands in the store instead of what the draft started from; `undefined` value: it was deleted. */
  readonly conflict = shallowRef<{ readonly current: KeyValue | undefined }>()
  readonly isSaving = shallowRef(false)
  /** A revision that could not be shown, and why. */
  readonly showError = shallowRef<{ readonly revision: number; readonly failure: unknown }>()
  readonly saveError = shallowRef<unknown>()
  readonly answeredAtMs = shallowRef(0)
  /** What the screen shows: the head, or the key as it was. */
  readonly shown = computed(() =>
    this.past.value === undefined ? this.head.value : this.past.value.pair,
  )
  readonly isDirty = computed(() => this.draft.value !== undefined && isChanged(this.draft.value))
  private watch: Subscription | undefined
  /** Writing was asked for before the key was there. */
  private wantedEdit: { readonly asBytes: boolean } | undefined
  private generation = 0
  /** Answers may overtake each other; the last question counts. */
  private showing = 0

  /** @param asOf  the revision that its tab reads as of; 0: the head */
  constructor(connectionId: string, key: Uint8Array, asOf = 0) {
    this.connectionId = connectionId
    this.key = key
    this.asOf.value = asOf
    this.history = new KeyHistory(connectionId, key)
    this.history.endAt(asOf)
  }

  /** Reads the key at the head and its past, and follows both. */
  async load(): Promise<void> {
    const generation = ++this.generation
    if (this.status.value !== 'ready') this.status.value = 'loading'
    try {
      await this.readHead()
      if (this.asOf.value !== 0) await this.readShown(0)
      if (generation !== this.generation) return
      this.status.value = 'ready'
      this.error.value = undefined
      const wanted = this.wantedEdit
      this.wantedEdit = undefined
      if (wanted !== undefined) this.edit(wanted.asBytes)
      this.beginWatch()
      this.history.open()
    } catch (failure) {
      if (generation !== this.generation) return
      this.status.value = 'failed'
      this.error.value = failure
    }
  }

  /**
   * Shows the key as it was at a revision; 0 goes back to the revision of the tab. What cannot be read is told by `showError`,
   * and what is shown stays.
   */
  async showRevision(wanted: number): Promise<void> {
    try {
      await this.readShown(wanted)
      this.showError.value = undefined
    } catch (failure) {
      this.showError.value = { revision: wanted, failure }
    }
  }

  /** Follows its tab to another revision; 0: the head. What cannot be read there is told as the key's error. */
  async readAsOf(revision: number): Promise<void> {
    this.asOf.value = revision
    this.history.endAt(revision)
    this.showError.value = undefined
    try {
      await this.readShown(0)
      this.error.value = undefined
    } catch (failure) {
      if (this.asOf.value === revision) this.error.value = failure
    }
  }

  dismissShowError(): void {
    this.showError.value = undefined
  }

  /** @throws CallError  when the revision cannot be read, unless another one was asked for meanwhile */
  private async readShown(wanted: number): Promise<void> {
    const order = ++this.showing
    const asOf = this.asOf.value
    const revision = wanted === 0 ? asOf : wanted
    const isHead = asOf === 0 && revision === this.head.value?.modRevision
    if (revision === 0 || isHead) {
      this.past.value = undefined
      return
    }
    const { connectionId, key } = this
    const readRevision = this.history.readRevisionOf(revision)
    try {
      const reply = await kvApi.get({ connectionId, key, revision: readRevision })
      if (order !== this.showing) return
      this.headRevision.value = Math.max(this.headRevision.value, reply.headRevision)
      this.past.value = { revision: readRevision, pair: reply.pair }
    } catch (failure) {
      if (order === this.showing) throw failure
    }
  }

  /**
   * Begins to write: from the head, or from nothing. A value that is no text is written as bytes. While the key is on its way
   * the writing begins when it is there.
   */
  edit(asBytes = false): void {
    if (this.status.value !== 'ready') {
      if (this.status.value !== 'failed') this.wantedEdit = { asBytes }
      return
    }
    const base = this.head.value?.value ?? new Uint8Array(0)
    const isBytes = asBytes || !isText(base)
    const baseText = isBytes ? '' : (findText(base) ?? '')
    this.past.value = undefined
    this.conflict.value = undefined
    this.saveError.value = undefined
    this.draft.value = {
      text: baseText,
      baseText,
      baseModRevision: this.head.value?.modRevision ?? 0,
      ...(isBytes ? { bytes: { now: base, base } } : {}),
    }
  }

  write(text: string): void {
    if (this.draft.value !== undefined) this.draft.value = { ...this.draft.value, text }
  }

  /** Writes bytes into the draft: as text where it is text that is written and the bytes are some. */
  writeBytes(now: Uint8Array): void {
    const draft = this.draft.value
    if (draft === undefined) return
    if (draft.bytes === undefined && isText(now)) this.write(findText(now) ?? '')
    else {
      const base = draft.bytes?.base ?? textBytes(draft.baseText)
      this.draft.value = { ...draft, text: '', baseText: '', bytes: { now, base } }
    }
  }

  /** Chooses the lease that saving attaches; undefined: the key keeps what it has. */
  chooseLease(lease: bigint | undefined): void {
    const draft = this.draft.value
    if (draft === undefined) return
    const { text, baseModRevision, baseText, bytes } = draft
    this.draft.value = {
      ...{ text, baseModRevision, baseText },
      ...(bytes === undefined ? {} : { bytes }),
      ...(lease === undefined ? {} : { lease }),
    }
  }

  /** Takes a draft up again that was dropped. */
  resume(draft: Draft): void {
    this.draft.value = draft
    this.noteConflict()
  }

  /** Goes on writing the same content as bytes, or as text where it is some. */
  writeAs(form: 'text' | 'bytes'): void {
    const draft = this.draft.value
    if (draft === undefined) return
    const { bytes, ...rest } = draft
    if (form === 'bytes' && bytes === undefined) {
      const both = { now: textBytes(draft.text), base: textBytes(draft.baseText) }
      this.draft.value = { ...rest, text: '', baseText: '', bytes: both }
    } else if (form === 'text' && bytes !== undefined && isText(bytes.now) && isText(bytes.base)) {
      const text = findText(bytes.now) ?? ''
      this.draft.value = { ...rest, text, baseText: findText(bytes.base) ?? '' }
    }
  }

  /** Drops the draft. */
  discard(): void {
    this.draft.value = undefined
    this.conflict.value = undefined
    this.saveError.value = undefined
  }

  /** Takes the store's present state as the one that the draft answers to, so that saving writes over it. */
  rebase(): void {
    const draft = this.draft.value
    const conflict = this.conflict.value
    if (draft === undefined || conflict === undefined) return
    const { current } = conflict
    const base = current?.value ?? new Uint8Array(0)
    const isBytes = draft.bytes !== undefined || !isText(base)
    this.draft.value = {
      ...draft,
      baseModRevision: current?.modRevision ?? 0,
      baseText: isBytes ? '' : (findText(base) ?? ''),
      ...(isBytes ? { text: '', bytes: { now: draftBytes(draft), base } } : {}),
    }
    this.conflict.value = undefined
  }

  /** Writes the draft if nobody else wrote since it began. The answer is undefined when the write failed. */
  async save(value: Uint8Array): Promise<PutReply | undefined> {
    const { connectionId, key } = this
    const draft = this.draft.value
    if (draft === undefined || this.isSaving.value) return undefined
    this.isSaving.value = true
    this.saveError.value = undefined
    try {
      const expectedModRevision = draft.baseModRevision
      const lease = draft.lease === undefined ? {} : { lease: draft.lease }
      const reply = await kvApi.put({ connectionId, key, value, expectedModRevision, ...lease })
      if (reply.kind === 'conflict') {
        this.conflict.value = { current: reply.current }
      } else {
        this.takeWritten(reply, value, draft.lease)
        this.discard()
      }
      return reply
    } catch (failure) {
      this.saveError.value = failure
      return undefined
    } finally {
      this.isSaving.value = false
    }
  }

  /** Deletes the key if it still is what is shown. */
  async remove(): Promise<DeleteKeysReply> {
    const { connectionId, key } = this
    const expectedModRevision = this.head.value?.modRevision ?? 0
    const reply = await kvApi.deleteKeys({ connectionId, keys: [{ key, expectedModRevision }] })
    await this.readHead()
    return reply
  }

  /**
   * Writes the value of an older revision as a new one, if the key still is what is shown. It keeps the lease that it has now:
   * the one of then may be gone.
   *
   * @returns  undefined where that revision holds no value
   */
  async restore(revision: number): Promise<PutReply | undefined> {
    const { connectionId, key } = this
    const expectedModRevision = this.head.value?.modRevision ?? 0
    const value = await this.history.valueAt(revision)
    if (value === undefined) return undefined
    const reply = await kvApi.put({ connectionId, key, value, expectedModRevision })
    if (reply.kind === 'written') {
      this.takeWritten(reply, value, undefined)
      if (this.asOf.value === 0) this.past.value = undefined
    }
    return reply
  }

  dismissSaveError(): void {
    this.saveError.value = undefined
  }

  dispose(): void {
    this.generation++
    this.history.close()
    this.watch?.close()
  }

  /** What was written is the head, as far as the answer tells; the watch brings what comes after. */
  private takeWritten(
    reply: Extract<PutReply, { kind: 'written' }>,
    value: Uint8Array,
    lease: bigint | undefined,
  ): void {
    const { revision, previous } = reply
    this.head.value = {
      key: this.key,
      value,
      createRevision: previous?.createRevision ?? revision,
      modRevision: revision,
      version: (previous?.version ?? 0) + 1,
      lease: lease ?? previous?.lease ?? 0n,
    }
    this.headRevision.value = Math.max(this.headRevision.value, revision)
    this.answeredAtMs.value = Date.now()
  }

  private async readHead(): Promise<void> {
    const { connectionId, key } = this
    const reply = await kvApi.get({ connectionId, key, revision: 0 })
    this.headRevision.value = Math.max(this.headRevision.value, reply.headRevision)
    this.head.value = reply.pair
    this.answeredAtMs.value = Date.now()
    this.noteConflict()
  }

  /** Tells a writer at once that somebody else wrote, not only when they save. */
  private noteConflict(): void {
    const draft = this.draft.value
    const current = this.head.value
    if (draft === undefined || this.isSaving.value) return
    if ((current?.modRevision ?? 0) !== draft.baseModRevision) this.conflict.value = { current }
  }

  private beginWatch(): void {
    this.watch?.close()
    const { connectionId, key } = this
    this.watch = streamApi.watch(
      {
        connectionId,
        range: { kind: 'key', key },
        startRevision: this.headRevision.value + 1,
        hasPrevious: false,
        isWithoutPuts: false,
        isWithoutDeletes: false,
        valueBytesMax: watchValueBytesMax,
      },
      {
        onBatch: (items) => {
          this.takeWatch(items)
        },
      },
    )
  }

  private takeWatch(items: readonly WatchItem[]): void {
    const added = items.flatMap((item) =>
      item.kind === 'change' ? [rowOfChange(item.change)] : [],
    )
    if (added.length === 0) return
    this.history.addLive(added)
    this.readHead().catch((failure: unknown) => {
      this.error.value = failure
    })
  }
}

function isChanged(draft: Draft): boolean {
  if (draft.lease !== undefined) return true
  if (draft.bytes === undefined) return draft.text !== draft.baseText
  return !sameBytes(draft.bytes.now, draft.bytes.base)
}

function rowOfChange(change: Extract<WatchItem, { kind: 'change' }>['change']): HistoryRow {
  const { current, revision } = change
  if (current === undefined) return { kind: 'delete', revision }
  const { createRevision, version, lease, bytes, sizeBytes } = current
  return {
    kind: 'put',
    ...{ revision, createRevision, version, lease },
    head: bytes,
    valueSizeBytes: sizeBytes,
  }
}
