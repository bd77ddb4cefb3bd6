/** What the owner of an editor may ask of it. */
export interface EditorHandle {
  /** Opens the editor's own find field. */
  readonly find: () => void
}
