/** Rows of the table of shortcuts: commands by their area, then the keys of controls, as far as they match. */

/** One action with its keys. */
export interface ShortcutRow {
  readonly id: string
  readonly title: string
  readonly shortcuts: readonly string[]
}

/** Rows under one name. */
export interface ShortcutGroup {
  readonly name: string
  readonly rows: readonly ShortcutRow[]
}

/**
 * Groups what has a shortcut. A command's title reads "Area: Action"; where two commands share a shortcut the first of them
 * has it, as with the keys themselves.
 *
 * @param wanted  text that the area, the action or the keys must hold; empty: everything
 */
export function groupShortcuts({
  commands,
  fixed,
  wanted,
  keysOf,
}: {
  readonly commands: readonly ShortcutRow[]
  readonly fixed: readonly ShortcutGroup[]
  readonly wanted: string
  /** The keys of a shortcut as this machine's keyboard names them. */
  readonly keysOf: (shortcut: string) => readonly string[]
}): readonly ShortcutGroup[] {
  const taken = new Set<string>()
  const areas = new Map<string, ShortcutRow[]>()
  for (const command of commands) {
    const shortcuts = command.shortcuts.filter((shortcut) => !taken.has(shortcut))
    for (const shortcut of shortcuts) taken.add(shortcut)
    const [, area = '', action = command.title] = /^([^:]+): (.*)$/su.exec(command.title) ?? []
    if (shortcuts.length === 0) continue
    const rows = areas.get(area) ?? []
    areas.set(area, rows)
    rows.push({ id: command.id, title: upperFirst(action), shortcuts })
  }
  const groups = [...[...areas].map(([name, rows]) => ({ name, rows })), ...fixed]
  const text = wanted.trim().toLowerCase()
  return groups.flatMap((group) => {
    const rows = group.rows.filter((row) =>
      [group.name, ...wordsOf(row, keysOf)].some((one) => one.toLowerCase().includes(text)),
    )
    return rows.length === 0 ? [] : [{ name: group.name, rows }]
  })
}

/** What a row is found by: its action, and its keys with and without a sign between them. */
function wordsOf(
  { title, shortcuts }: ShortcutRow,
  keysOf: (shortcut: string) => readonly string[],
): readonly string[] {
  const keys = shortcuts.map(keysOf)
  return [title, ...keys.map((parts) => parts.join(' ')), ...keys.map((parts) => parts.join('+'))]
}

function upperFirst(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
