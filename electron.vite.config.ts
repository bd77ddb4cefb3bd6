import { resolve } from 'node:path'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'electron-vite'

/**
 * Main and preload are CommonJS, because the oldest runtime that must work loads nothing else. Packages stay outside of
 * main, two of them hold native code; the sandboxed preload can load no files, so everything it uses is built into it.
 */
const oldestNode = 'node18.15'
const oldestChromium = 'chrome114'

export default defineConfig({
  main: {
    build: {
      target: oldestNode,
      outDir: 'out/main',
      externalizeDeps: true,
      sourcemap: true,
      rolldownOptions: {
        input: {
          index: resolve(import.meta.dirname, 'src/main/index.ts'),
          'store-process': resolve(import.meta.dirname, 'src/main/store-host/store-process.ts'),
        },
        output: { format: 'cjs', entryFileNames: '[name].cjs', chunkFileNames: 'parts/[name].cjs' },
      },
    },
  },
  preload: {
    build: {
      target: oldestNode,
      outDir: 'out/preload',
      externalizeDeps: false,
      rolldownOptions: {
        input: { index: resolve(import.meta.dirname, 'src/preload/index.ts') },
        output: { format: 'cjs', entryFileNames: '[name].cjs' },
      },
    },
  },
  renderer: {
    root: 'src/renderer',
    plugins: [vue()],
    build: {
      target: oldestChromium,
      outDir: resolve(import.meta.dirname, 'out/renderer'),
      // A third of the text: the page starts sooner, and the engine keeps the source of what runs in memory.
      minify: true,
      rolldownOptions: { input: resolve(import.meta.dirname, 'src/renderer/index.html') },
    },
    worker: { format: 'es' },
  },
})
