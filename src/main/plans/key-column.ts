/** Growing columns: a million keys with a few numbers each, as typed arrays instead of as objects. */

const bytesAtFirst = 65_536
const rowsAtFirst = 1_024

/** Keys one after the other. */
export class KeyColumn {
  count = 0
  private bytes = new Uint8Array(bytesAtFirst)
  private offsets = new Float64Array(rowsAtFirst)

  add(key: Uint8Array): void {
    const start = this.offsets[this.count] ?? 0
    const end = start + key.length
    if (end > this.bytes.length) this.bytes = grown(this.bytes, end)
    if (this.count + 2 > this.offsets.length) {
      this.offsets = grown(this.offsets, this.count + 2)
    }
    this.bytes.set(key, start)
    this.count++
    this.offsets[this.count] = end
  }

  /** The key at a row: a view, which lives as long as the column. */
  at(row: number): Uint8Array {
    return this.bytes.subarray(this.offsets[row], this.offsets[row + 1])
  }
}

/** Numbers one after the other. */
export class NumberColumn {
  private values: Float64Array = new Float64Array(rowsAtFirst)
  private count = 0

  add(value: number): void {
    if (this.count === this.values.length) this.values = grown(this.values, this.count + 1)
    this.values[this.count++] = value
  }

  at(row: number): number {
    return this.values[row] ?? 0
  }
}

function grown<Column extends Uint8Array | Float64Array>(
  column: Column,
  lengthMin: number,
): Column {
  const length = Math.max(lengthMin, column.length * 2)
  const larger = (
    column instanceof Uint8Array ? new Uint8Array(length) : new Float64Array(length)
  ) as Column
  larger.set(column)
  return larger
}
