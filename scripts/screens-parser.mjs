/**
 * Parses the scripts of screens for the linter, with the types of all screens taken from one program.
 *
 * The linter's own way is a project of an editor, in which every screen that is opened makes the checker of types begin anew:
 * that took most of the time of the whole check. A text that is not the one on the disk (an editor's, or one that is being
 * corrected) still goes that way.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import ts from 'typescript'
import tseslint from 'typescript-eslint'
import { projectRoot } from './dependencies.mjs'

const configPath = join(projectRoot, 'src/renderer/tsconfig.json')
const scriptBlock = /<script\b[^>]*>([^]*?)<\/script>/u

/** The script of a screen, as the parser of screens hands it on. */
function scriptOf(screen) {
  return scriptBlock.exec(screen)?.[1] ?? ''
}

function createScreensProgram() {
  const { config, error } = ts.readConfigFile(configPath, ts.sys.readFile)
  if (error !== undefined) throw new Error(ts.flattenDiagnosticMessageText(error.messageText, '\n'))
  const folder = join(projectRoot, 'src/renderer')
  const { options, fileNames } = ts.parseJsonConfigFileContent(config, ts.sys, folder)
  const screens = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.vue'))
    .map((name) => join(folder, name).replaceAll('\\', '/'))
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
  return ts.createProgram({ rootNames: [...fileNames, ...screens], options: settings, host })
}

let program

/** The parser of scripts in screens; has the shape that ESLint asks for. */
export const screensParser = {
  ...tseslint.parser,
  parseForESLint(code, options) {
    const filePath = resolve(options.filePath ?? '').replaceAll('\\', '/')
    if (options.projectService && filePath.endsWith('.vue')) {
      program ??= createScreensProgram()
      if (program.getSourceFile(filePath)?.text === code) {
        const { projectService: _, ...others } = options
        return tseslint.parser.parseForESLint(code, { ...others, programs: [program] })
      }
    }
    return tseslint.parser.parseForESLint(code, options)
  },
}
