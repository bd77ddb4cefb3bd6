/** What the owner of a virtual list may ask of it. */
export interface ListHandle {
  /** Scrolls a row into sight. */
  readonly reveal: (index: number) => void
  /** Gives the list the focus. */
  readonly focus: () => void
  /** Scrolls to a place in pixels. */
  readonly scrollTo: (top: number) => void
  /** Moves what is in sight by some pixels, for rows that came in above. */
  readonly scrollBy: (byPx: number) => void
}
