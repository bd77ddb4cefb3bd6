import type { ConnectionStateKind } from '../../../preload/contract/connection.ts'

/** The mark of each state: hollow, arc, full, half and crossed circle. */
export const connectionIcons: Readonly<Record<ConnectionStateKind, string>> = {
  closed: 'circle',
  connecting: 'refresh',
  ready: 'full',
  degraded: 'half',
  blocked: 'lock',
  failed: 'down',
}

/** The colour class of each state's mark, as the status bar has them. */
export const connectionTones: Readonly<Record<ConnectionStateKind, string>> = {
  closed: '',
  connecting: '',
  ready: 'ok',
  degraded: 'warn',
  blocked: 'bad',
  failed: 'bad',
}
