/**
 * Keeps numbers exactly as they were written while a text goes through a library that reads them as floating point: each
 * one travels as a word of its own and is put back at the end.
 */

/** Words that stand for numbers in one text. */
export class ExactNumbers {
  private readonly mark: string
  private readonly lexemes: string[] = []

  /** @param text  what the words must not occur in */
  constructor(text: string) {
    let mark = 'number'
    for (let count = 0; text.includes(mark); count++) mark = `number${String(count)}x`
    this.mark = mark
  }

  /** The word for a number. */
  put(lexeme: string): string {
    this.lexemes.push(lexeme)
    return `${this.mark}n${String(this.lexemes.length - 1)}e`
  }

  /** The text with its numbers back. */
  restore(text: string): string {
    const words = new RegExp(`${this.mark}n(\\d+)e`, 'gu')
    return text.replaceAll(words, (_word, index: string) => this.lexemes[Number(index)] ?? '')
  }
}
