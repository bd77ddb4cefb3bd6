/** One line of a menu. */
export interface MenuItem {
  readonly id: string
  readonly label: string
  readonly icon: string
  /** As it is written on the screen. */
  readonly shortcut?: string
  /** Why it cannot be done now; the line stays, with the reason. */
  readonly obstacle?: string | undefined
  readonly isDanger?: boolean
  /** A line above it separates what belongs together. */
  readonly isGroupStart?: boolean
  readonly run: () => void
}
