import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { compileFunction } from 'node:vm'
import { expect, onTestFinished, test } from 'vitest'

const project = fileURLToPath(new URL('../../', import.meta.url))
const programName = 'quorated-program.cjs'
const parameters = ['exports', 'require', 'module', '__filename', '__dirname']

/** The built program in a folder of its own. */
function copyOfProgram(): string {
  const folder = mkdtempSync(join(tmpdir(), 'quorate-program-'))
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true })
  })
  cpSync(join(project, 'dist'), join(folder, 'dist'), { recursive: true })
  symlinkSync(join(project, 'node_modules'), join(folder, 'node_modules'))
  return join(folder, 'dist')
}

const versionOf = (dist: string): string =>
  execFileSync(process.execPath, [join(dist, 'quorated.mjs'), '--version'], { encoding: 'utf8' })

test('the build leaves compiled code that this runtime takes', () => {
  const program = join(project, 'dist', programName)
  const cachedData = readFileSync(`${program}.compiled`)
  const body = compileFunction(readFileSync(program, 'utf8'), parameters, {
    filename: program,
    cachedData,
  })
  expect(body.cachedDataRejected).toBe(false)
})

test.each([
  ['is missing', undefined],
  ['is of another engine', Buffer.alloc(1_000, 7)],
  ['is empty', Buffer.alloc(0)],
])('the program runs where its compiled code %s', (_name, compiled) => {
  const dist = copyOfProgram()
  const file = join(dist, `${programName}.compiled`)
  if (compiled === undefined) rmSync(file)
  else writeFileSync(file, compiled)
  expect(versionOf(dist)).toContain('Quorate Version:')
})

test('a package that is loaded when it is needed is found from anywhere', () => {
  const dist = copyOfProgram()
  const file = join(dist, 'settings.yaml')
  writeFileSync(file, 'name: [unclosed')
  const { status, stderr } = spawnSync(
    process.execPath,
    [join(dist, 'quorated.mjs'), `--config-file=${file}`],
    { encoding: 'utf8', cwd: tmpdir() },
  )
  expect(status).toBe(1)
  // The parser of YAML had its say.
  expect(stderr).toMatch(/at line 1, column \d+/)
})
