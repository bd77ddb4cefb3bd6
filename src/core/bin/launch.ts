/**
 * What `bin/quorated` gives to the runtime: it runs the program from compiled code, which the build left beside it.
 *
 * Reading and compiling a megabyte of program took a quarter of a node's start. The runtime takes compiled code only for a
 * function that is compiled by hand, so the program is bundled as the body of a CommonJS module. Code that another version
 * of the engine made is refused by it, and the program is compiled as ever.
 *
 * @see https://nodejs.org/api/vm.html#vmcompilefunctioncode-params-options
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { compileFunction } from 'node:vm'

const directory = dirname(fileURLToPath(import.meta.url))
const programFile = join(directory, 'quorated-program.cjs')
/** What the body of every CommonJS module is given. */
const parameters = ['exports', 'require', 'module', '__filename', '__dirname']

const module = { exports: {} }
const body = compileFunction(readFileSync(programFile, 'utf8'), parameters, {
  filename: programFile,
  cachedData: readCompiled(),
}) as (...values: readonly unknown[]) => void
body(module.exports, createRequire(programFile), module, programFile, directory)

function readCompiled(): Buffer | undefined {
  try {
    return readFileSync(`${programFile}.compiled`)
  } catch {
    // It is only there to save time.
    return undefined
  }
}
