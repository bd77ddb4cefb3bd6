import { useEventListener } from '@vueuse/core'
import { onScopeDispose } from 'vue'
import { streamApi } from '../api/stream-api.ts'
import { useCommandStore } from '../stores/commands.ts'
import { isShortcut, isTyping } from './shortcut.ts'

/** Runs commands by their shortcuts and by the native menu, for as long as the calling component lives. */
export function useCommandKeys(): void {
  const commands = useCommandStore()

  useEventListener(window, 'keydown', (event) => {
    // While an input method composes, every key belongs to it.
    if (event.isComposing || event.defaultPrevented) return
    // Keys that write a character belong to the text field that has the focus.
    const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey && event.key.length === 1
    if (isPlain && isTyping(event)) return
    runShortcut(event, commands)
  })

  const menu = streamApi.commands({
    onBatch: (items) => {
      for (const item of items) commands.run(item.commandId)
    },
  })
  onScopeDispose(() => {
    menu.close()
  })
}

/** Runs the command whose shortcut was pressed; false when there is none. */
export function runShortcut(
  event: KeyboardEvent,
  commands: Pick<ReturnType<typeof useCommandStore>, 'all' | 'run'>,
): boolean {
  const isInField = isTyping(event) || isInDialog(event)
  const command = commands.all.find(
    ({ shortcuts, yieldsToFields }) =>
      !(isInField && yieldsToFields === true) &&
      shortcuts.some((shortcut) => isShortcut(event, shortcut)),
  )
  if (command === undefined) return false
  event.preventDefault()
  commands.run(command.id)
  return true
}

function isInDialog(event: KeyboardEvent): boolean {
  return event.target instanceof HTMLElement && event.target.closest('dialog') !== null
}
