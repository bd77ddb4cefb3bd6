/** What the owner of an editor may ask of it. */
export interface EditorHandle {
  /** Opens the editor's own find field. */
  readonly find: () => void
  /** Puts another text in place of all of it, as one step that can be undone. */
  readonly replaceAll: (text: string) => void
}
