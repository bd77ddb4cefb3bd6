/** Builds the page on the fake bridge, once for all files of a run that show it. */

import { fileURLToPath } from 'node:url'
import { build } from 'vite'

/** Runs before the tests of the windows. Who asked for files of the app alone does not wait for it. */
export async function setup(): Promise<void> {
  const files = process.argv.filter((argument) => argument.includes('tests/e2e/'))
  const isForAppAlone = files.length > 0 && files.every((file) => file.includes('tests/e2e/app/'))
  if (isForAppAlone) return
  await build({
    configFile: fileURLToPath(new URL('vite.renderer.config.ts', import.meta.url)),
    logLevel: 'error',
  })
}
