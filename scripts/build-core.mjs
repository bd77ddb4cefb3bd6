/**
 * Bundles the store node into dist/quorated.mjs, which bin/quorated starts. Packages stay outside: two of them hold
 * native code.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const projectFolder = join(dirname(fileURLToPath(import.meta.url)), '..')
const outputFolder = join(projectFolder, 'dist')
const { version } = JSON.parse(readFileSync(join(projectFolder, 'package.json'), 'utf8'))

mkdirSync(outputFolder, { recursive: true })
const bundle = join(outputFolder, 'quorated.mjs')
await build({
  entryPoints: [join(projectFolder, 'src/core/bin/store-node.ts')],
  outfile: bundle,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  packages: 'external',
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
