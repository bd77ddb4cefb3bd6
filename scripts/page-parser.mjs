/**
 * Parses what belongs to the page for the linter, with the types of all of it, screens too, taken from one program.
 *
 * The linter's own way is a project of an editor, in which every screen that is opened makes the checker of types begin anew:
 * that took most of the time of the whole check. An editor, and a text that is being corrected, still go that way.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import ts from 'typescript'
import tseslint from 'typescript-eslint'
import { projectRoot } from './dependencies.mjs'

/** Folders whose files share a program, and the settings of each. */
const parts = [
  { config: 'src/renderer/tsconfig.json', folders: ['src/renderer/'] },
  {
    config: 'tests/unit/renderer/tsconfig.json',
    folders: ['tests/unit/renderer/', 'tests/e2e/renderer/'],
  },
]
const slashed = (path) => path.replaceAll('\\', '/')
const root = slashed(projectRoot)
/** Files do not change while the command runs, as they do under an editor. */
const isCommand = /[\\/]eslint(?:\.js)?$/u.test(process.argv[1] ?? '')
const scriptBlock = /<script\b[^>]*>([^]*?)<\/script>/u

/** The script of a screen, as the parser of screens hands it on. */
function scriptOf(screen) {
  return scriptBlock.exec(screen)?.[1] ?? ''
}

/** Names of all screens below a folder. */
function screensIn(folder) {
  return readdirSync(root + folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.vue'))
    .map((name) => root + folder + slashed(name))
}

function createProgram({ config, folders }) {
  const { config: read, error } = ts.readConfigFile(root + config, ts.sys.readFile)
  if (error !== undefined) throw new Error(ts.flattenDiagnosticMessageText(error.messageText, '\n'))
  const { options, fileNames } = ts.parseJsonConfigFileContent(read, ts.sys, dirname(root + config))
  const settings = { ...options, allowNonTsExtensions: true }
  const host = ts.createCompilerHost(settings, true)
  const { getSourceFile } = host
  host.getSourceFile = (fileName, ...rest) =>
    fileName.endsWith('.vue')
      ? ts.createSourceFile(
          fileName,
          scriptOf(readFileSync(fileName, 'utf8')),
          rest[0],
          true,
          ts.ScriptKind.TS,
        )
      : getSourceFile(fileName, ...rest)
  return ts.createProgram({
    rootNames: [...fileNames, ...folders.flatMap(screensIn)],
    options: settings,
    host,
  })
}

const programs = new Map()

function programOf(filePath) {
  const part = parts.find(({ folders }) =>
    folders.some((folder) => filePath.startsWith(root + folder)),
  )
  if (part === undefined) return undefined
  if (!programs.has(part)) programs.set(part, createProgram(part))
  return programs.get(part)
}

/** The parser of the page's files, of the scripts in its screens, and of its tests; has the shape that ESLint asks for. */
export const pageParser = {
  ...tseslint.parser,
  parseForESLint(code, options) {
    if (isCommand && options.projectService) {
      const filePath = slashed(resolve(options.filePath ?? ''))
      const program = programOf(filePath)
      if (program?.getSourceFile(filePath)?.text === code) {
        const typed = { ...options, projectService: undefined, programs: [program] }
        return tseslint.parser.parseForESLint(code, typed)
      }
    }
    return tseslint.parser.parseForESLint(code, options)
  },
}
