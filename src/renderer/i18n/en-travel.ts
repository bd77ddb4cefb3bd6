/** English texts of reading an older revision. */
export const enTravel = {
  keysAt: 'Keys at',
  allKeys: 'all keys',
  reading: 'Reading',
  behind:
    ', {n} revision behind the head. Writing is off. | , {n} revisions behind the head. Writing is off.',
  atTheHead: ', the newest revision. Writing is off.',
  restoreFrom: 'Restore from here…',
  backToHead: 'Back to head',
  tabTitle: '{name} at {revision}',
} as const

export const travelCommands = {
  'travel.head': 'Time travel: Back to the head',
} as const

export const travelReasons = {
  pastRevision: 'an older revision is shown; writing is off',
  atHead: 'the head is shown',
} as const
