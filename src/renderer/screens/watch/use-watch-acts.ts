import { useI18n } from 'vue-i18n'
import { useClipboard } from '../../composables/use-clipboard.ts'
import { countText } from '../../format/quantity-text.ts'
import { failureLine } from '../../stores/failure-text.ts'
import { useKeyStore } from '../../stores/keys.ts'
import { useToastStore } from '../../stores/toasts.ts'
import { useTravelStore } from '../../stores/travel.ts'
import type { WatchPane } from '../../stores/watch-pane.ts'
import { WatchRecording, writeEvents } from '../../stores/watch-recording.ts'
import { fileChunks, lineOf, tabbedText } from './watch-export.ts'
import type { ExportFormat } from './watch-export.ts'

/** What can be done with events. */
export interface WatchActs {
  readonly openKey: (id: number) => void
  /** Reads everything as it was at the revision of an event. */
  readonly travel: (id: number) => void
  readonly copy: (ids: readonly number[]) => void
  readonly save: (ids: readonly number[], format: ExportFormat) => Promise<void>
  /** Begins to write what comes to a file, until it is stopped. */
  readonly record: () => Promise<void>
}

/** Acts on the events of one pane. */
export function useWatchActs(pane: () => WatchPane): WatchActs {
  const keys = useKeyStore()
  const travels = useTravelStore()
  const toasts = useToastStore()
  const { copy: copyText } = useClipboard()
  const { t } = useI18n()

  function openKey(id: number): void {
    const row = pane().log.rowOf(id)
    if (row !== undefined) keys.goToKey(pane().connectionId, row.key.slice())
  }

  function travel(id: number): void {
    const row = pane().log.rowOf(id)
    if (row === undefined) return
    const { connectionId } = pane()
    travels.openAt({ connectionId, revision: row.revision })
  }

  function copy(ids: readonly number[]): void {
    const rows = ids.flatMap((id) => pane().log.rowOf(id) ?? [])
    if (rows.length > 0) void copyText(tabbedText(rows))
  }

  async function save(ids: readonly number[], format: ExportFormat): Promise<void> {
    const { log } = pane()
    await write(format, fileChunks(log, ids, format))
  }

  async function record(): Promise<void> {
    const { log, listeners, recording } = pane()
    if (recording.value !== undefined) return
    const own = new WatchRecording()
    const listen = (added: readonly number[]): void => {
      own.add(added.flatMap((id) => lineOf(log, id, 'jsonl') ?? []))
    }
    listeners.add(listen)
    recording.value = own
    await write('jsonl', own.chunks())
    listeners.delete(listen)
    own.noteEnd()
    if (recording.value === own) recording.value = undefined
  }

  async function write(
    format: ExportFormat,
    chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  ): Promise<void> {
    const name = format === 'jsonl' ? t('watch.save.jsonl') : t('watch.save.csv')
    try {
      const saved = await writeEvents({ name, extension: format }, chunks)
      if (saved === undefined) return
      const size = countText(saved.sizeBytes)
      toasts.show({
        icon: 'check',
        tone: 'ok',
        text: t('watch.save.done', { size }),
        subject: saved.name,
      })
    } catch (failure) {
      toasts.show({ icon: 'warn', tone: 'danger', text: failureLine(failure) })
    }
  }

  return { openKey, travel, copy, save, record }
}
