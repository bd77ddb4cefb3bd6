/** Marks what is wrong with a text, as the worker finds it once typing rests. */

import { canCheck, type TextLanguage } from '../values/text-language.ts'
import { ValueTaskError, valueTask } from '../values/value-worker-client.ts'
import type { Monaco } from './monaco-loader.ts'

/** A text that stands in an editor. */
interface CheckedText {
  readonly monaco: Monaco
  readonly model: Parameters<Monaco['editor']['setModelMarkers']>[0]
  readonly language: TextLanguage
  readonly text: string
}

/** What the owner of an editor may ask of its marks. */
export interface TextProblems {
  /** Looks at the text when no other follows at once. */
  readonly checkSoon: (checked: CheckedText) => void
  readonly dispose: () => void
}

const restMs = 300
/** Text above this size is not checked. */
const checkUnitsMax = 1024 * 1024
const owner = 'values'

/** Marks of one editor. */
export function useTextProblems(): TextProblems {
  let timer: ReturnType<typeof setTimeout> | undefined
  let newest = 0

  async function check({ monaco, model, language, text }: CheckedText): Promise<void> {
    const id = ++newest
    const isWanted = canCheck(language) && text.length <= checkUnitsMax
    try {
      const problems = isWanted ? await valueTask({ kind: 'check', language, text }) : []
      if (id !== newest || model.isDisposed()) return
      monaco.editor.setModelMarkers(
        model,
        owner,
        problems.map(({ line, column, message }) => ({
          severity: monaco.MarkerSeverity.Error,
          message,
          startLineNumber: line,
          startColumn: column,
          endLineNumber: line,
          endColumn: model.getLineMaxColumn(Math.min(line, model.getLineCount())),
        })),
      )
    } catch (error) {
      // Marks are a help; a text that takes too long to look at has none.
      if (!(error instanceof ValueTaskError)) throw error
    }
  }

  return {
    checkSoon: (checked) => {
      clearTimeout(timer)
      timer = setTimeout(() => void check(checked), restMs)
    },
    dispose: () => {
      clearTimeout(timer)
      newest++
    },
  }
}
