/**
 * Loads the editor on first use, with its workers from the bundle, and draws it in the colours of the tokens.
 *
 * Only what the product needs is loaded: the core, JSON with its worker, and the colours of a few languages.
 */

import type * as MonacoModule from 'monaco-editor/esm/vs/editor/editor.api.js'
import { addLanguages } from './monaco-languages.ts'
import { tokenReader } from '../composables/token-value.ts'

/** The editor's own module. */
export type Monaco = typeof MonacoModule

let loading: Promise<Monaco> | undefined

/** The editor; loaded once. */
export function loadMonaco(): Promise<Monaco> {
  loading ??= load()
  return loading
}

/**
 * Gives the editor the colours of the theme and the tense that are in force where it stands. Called again when either
 * changes.
 */
export function applyEditorTheme(
  monaco: Monaco,
  place: { readonly host: Element; readonly isDark: boolean },
): void {
  const tokenValue = tokenReader(place.host)
  const rule = (token: string, name: string): { token: string; foreground: string } => ({
    token,
    foreground: tokenValue(name).replace('#', ''),
  })
  monaco.editor.defineTheme('quorate', {
    base: place.isDark ? 'vs-dark' : 'vs',
    inherit: true,
    rules: [
      rule('', 'fg'),
      rule('string.key.json', 'syn-key'),
      rule('string.value.json', 'syn-string'),
      rule('string', 'syn-string'),
      rule('number', 'syn-number'),
      rule('keyword', 'syn-keyword'),
      rule('keyword.json', 'syn-keyword'),
      rule('type', 'syn-key'),
      rule('delimiter', 'syn-punct'),
      rule('delimiter.bracket.json', 'syn-punct'),
      rule('delimiter.array.json', 'syn-punct'),
      rule('delimiter.colon.json', 'syn-punct'),
      rule('delimiter.comma.json', 'syn-punct'),
      rule('comment', 'syn-comment'),
      rule('tag', 'syn-key'),
      rule('metatag', 'syn-keyword'),
      rule('attribute.name', 'syn-keyword'),
      rule('attribute.value', 'syn-string'),
      rule('variable', 'syn-key'),
    ],
    colors: {
      'editor.background': tokenValue('bg-surface'),
      'editor.foreground': tokenValue('fg'),
      'editorGutter.background': tokenValue('bg-surface'),
      'editorLineNumber.foreground': tokenValue('line-no'),
      'editorLineNumber.activeForeground': tokenValue('fg'),
      'editor.lineHighlightBackground': `${tokenValue('fg')}0d`,
      'editor.lineHighlightBorder': '#00000000',
      'editor.selectionBackground': tokenValue('bg-selected'),
      'editor.inactiveSelectionBackground': tokenValue('bg-selected-quiet'),
      'editorCursor.foreground': tokenValue('accent'),
      'editorIndentGuide.background1': tokenValue('border-subtle'),
      'editorIndentGuide.activeBackground1': tokenValue('border'),
      'editorWidget.background': tokenValue('bg-raised'),
      'editorWidget.border': tokenValue('border'),
      'input.background': tokenValue('bg-surface'),
      'input.border': tokenValue('border-strong'),
      focusBorder: tokenValue('focus'),
      'diffEditor.insertedLineBackground': tokenValue('diff-add-bg'),
      'diffEditor.insertedTextBackground': tokenValue('diff-add-word'),
      'diffEditor.removedLineBackground': tokenValue('diff-del-bg'),
      'diffEditor.removedTextBackground': tokenValue('diff-del-word'),
      'diffEditor.diagonalFill': tokenValue('border'),
      'diffEditor.unchangedRegionBackground': tokenValue('bg-inset'),
      'diffEditor.unchangedRegionForeground': tokenValue('fg-muted'),
      'diffEditor.unchangedCodeBackground': '#00000000',
      'scrollbarSlider.background': `${tokenValue('fg')}2e`,
      'scrollbarSlider.hoverBackground': `${tokenValue('fg')}44`,
      'scrollbarSlider.activeBackground': `${tokenValue('fg')}55`,
    },
  })
  monaco.editor.setTheme('quorate')
}

async function load(): Promise<Monaco> {
  const [monaco, editorWorker, jsonWorker] = await Promise.all([
    import('./monaco-parts.ts'),
    import('monaco-editor/esm/vs/editor/editor.worker.js?worker'),
    import('monaco-editor/esm/vs/language/json/json.worker.js?worker'),
  ])
  window.MonacoEnvironment = {
    getWorker: (_id: string, label: string) =>
      label === 'json' ? new jsonWorker.default() : new editorWorker.default(),
  }
  addLanguages(monaco.monaco)
  return monaco.monaco
}
