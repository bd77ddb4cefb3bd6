import vue from '@vitejs/plugin-vue'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

const renderer = fileURLToPath(new URL('../../../src/renderer', import.meta.url))
const fake = fileURLToPath(new URL('fake-entry.ts', import.meta.url))

/** The page with the fake bridge instead of a preload, for an ordinary browser. */
export default defineConfig({
  root: renderer,
  base: './',
  plugins: [
    vue(),
    {
      name: 'fake-bridge',
      transformIndexHtml: {
        order: 'pre',
        handler: (html) =>
          html
            .replace('src="./main.ts"', `src="/@fs${fake}"`)
            .replace(/<script src="\.\/boot-theme\.js"><\/script>/u, '$&'),
      },
    },
  ],
  build: {
    target: 'chrome114',
    outDir: fileURLToPath(new URL('../../../out/renderer-fake', import.meta.url)),
    emptyOutDir: true,
  },
  server: { fs: { strict: false } },
})
