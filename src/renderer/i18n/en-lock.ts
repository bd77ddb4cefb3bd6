/** Texts of connections that are read-only, and of writing to them. */
export const enLock = {
  title: 'Allow writing on',
  action: 'Allow writing',
  text: 'When the time is over it is read-only again by itself. Deletes and plans still ask before they write; what a plan has not sent by then is left alone.',
  type: 'Type {name}',
  duration: 'For',
  minutes: '{n} minutes',
  untilLocked: 'until it is made read-only',
  locked: 'Read-only again',
  writableFor: 'writable for',
  lockNow: 'Make read-only now',
  unlock: 'Allow writing…',
} as const

/** Names of the commands. */
export const lockCommands = {
  'connection.unlock': 'Connections: Allow writing…',
  'connection.lock': 'Connections: Make read-only',
} as const

/** Why they cannot run. */
export const lockReasons = {
  isWritable: 'this connection may be written to',
  isPlayground: 'the local cluster is always writable',
} as const
