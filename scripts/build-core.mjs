/**
 * Bundles the store node into dist/, with the packages that every start needs: looking up and reading their many small files took a
 * quarter of the processor time of a start. bin/quorated starts dist/quorated.mjs, which runs dist/quorated-program.cjs from the
 * compiled code beside it; see src/core/bin/launch.ts.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { compileFunction } from 'node:vm'
import { build } from 'esbuild'

const projectFolder = join(dirname(fileURLToPath(import.meta.url)), '..')
const outputFolder = join(projectFolder, 'dist')
const { version } = JSON.parse(readFileSync(join(projectFolder, 'package.json'), 'utf8'))

/** Native code, which needs its files beside it, and what is loaded at its first use and would only be text in memory until then. */
const external = ['lmdb', '@node-rs/*', '@peculiar/x509', 'jose', 'prom-client', 'yaml']

mkdirSync(outputFolder, { recursive: true })
const bundle = join(outputFolder, 'quorated.mjs')
const program = join(outputFolder, 'quorated-program.cjs')
const common = { bundle: true, platform: 'node', target: 'node20', logLevel: 'warning' }
await build({
  ...common,
  entryPoints: [join(projectFolder, 'src/core/bin/launch.ts')],
  outfile: bundle,
  format: 'esm',
})
await build({
  ...common,
  entryPoints: [join(projectFolder, 'src/core/bin/store-node.ts')],
  outfile: program,
  format: 'cjs',
  external,
  // Functions compiled by hand cannot import; what they load later is required.
  supported: { 'dynamic-import': false },
  sourcemap: 'linked',
  // The runtime keeps the text of the program in memory as long as it runs.
  minifyWhitespace: true,
  lineLimit: 200,
  define: { quorateVersion: JSON.stringify(version) },
})

const { cachedData } = compileFunction(
  readFileSync(program, 'utf8'),
  ['exports', 'require', 'module', '__filename', '__dirname'],
  { filename: program, produceCachedData: true },
)
if (cachedData === undefined) throw new Error('the runtime did not give away the compiled program')
writeFileSync(`${program}.compiled`, cachedData)

// The launcher prints this file for --version, because starting a runtime takes longer than a caller may want to wait.
const environment = { ...process.env }
delete environment.ETCD_QUORATE_REPORTED_VERSION
writeFileSync(
  join(outputFolder, 'quorated.version'),
  execFileSync(process.execPath, [bundle, '--version'], { env: environment }),
)
