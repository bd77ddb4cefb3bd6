/**
 * Bundles the store node into dist/quorated.mjs, which bin/quorated starts, with the packages that every start needs: looking up
 * and reading their many small files took a quarter of the processor time of a start.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const projectFolder = join(dirname(fileURLToPath(import.meta.url)), '..')
const outputFolder = join(projectFolder, 'dist')
const { version } = JSON.parse(readFileSync(join(projectFolder, 'package.json'), 'utf8'))

/** Native code, which needs its files beside it, and what is loaded at its first use and would only be text in memory until then. */
const external = ['lmdb', '@node-rs/*', '@peculiar/x509', 'jose', 'prom-client', 'yaml']
/** A package among those inside is CommonJS and asks for the runtime's own modules by `require`. */
const banner = `import{createRequire}from'node:module';const require=createRequire(import.meta.url);`

mkdirSync(outputFolder, { recursive: true })
const bundle = join(outputFolder, 'quorated.mjs')
await build({
  entryPoints: [join(projectFolder, 'src/core/bin/store-node.ts')],
  outfile: bundle,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  external,
  banner: { js: banner },
  sourcemap: 'linked',
  // The runtime keeps the text of the program in memory as long as it runs.
  minifyWhitespace: true,
  lineLimit: 200,
  define: { quorateVersion: JSON.stringify(version) },
  logLevel: 'warning',
})

// The launcher prints this file for --version, because starting a runtime takes longer than a caller may want to wait.
const environment = { ...process.env }
delete environment.ETCD_QUORATE_REPORTED_VERSION
writeFileSync(
  join(outputFolder, 'quorated.version'),
  execFileSync(process.execPath, [bundle, '--version'], { env: environment }),
)
