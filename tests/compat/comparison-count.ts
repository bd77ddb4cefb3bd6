/** Counts what the comparisons with a real etcd compared, tells it per family, and is not content with too few. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TestProject } from 'vitest/node'

/** Fewer comparisons than these mean that tables were lost. */
const comparisonCountMin = 500

/** Started by vitest before the tests of the project; what it returns is called after them. */
export function setup(project: TestProject): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'comparisons-'))
  const log = join(folder, 'log')
  writeFileSync(log, '')
  project.provide('comparisonLog', log)
  return () => {
    const families = readFileSync(log, 'utf8').split('\n').filter(Boolean)
    rmSync(folder, { recursive: true })
    if (families.length === 0) return
    const counts = new Map<string, number>()
    for (const family of families) counts.set(family, (counts.get(family) ?? 0) + 1)
    const lines = [...counts.entries()]
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([family, count]) => `${String(count).padStart(7)}  ${family}\n`)
    process.stdout.write(
      `\nComparisons with a real etcd, by family:\n${lines.join('')}${String(families.length).padStart(7)}  in all\n`,
    )
    // A run of single files compares less.
    const isWhole = project.vitest.state.getFiles().length >= testFileCount()
    if (!isWhole || families.length >= comparisonCountMin) return
    process.stdout.write(`That is less than ${comparisonCountMin}: comparisons were lost.\n`)
    process.exitCode = 1
  }
}

function testFileCount(): number {
  const folder = fileURLToPath(new URL('.', import.meta.url))
  return readdirSync(folder).filter((name) => name.endsWith('.test.ts')).length
}
