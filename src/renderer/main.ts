/** Entry of the page: themes and texts first, then the stores begin to listen, then the window is drawn. */

import { createPinia } from 'pinia'
import { createApp } from 'vue'
import App from './App.vue'
import { installIconSprite } from './components/marks/icon-sprite.ts'
import { i18n } from './i18n/i18n.ts'
import { loadFirstScreen, router } from './router.ts'
import { useConnectionStore } from './stores/connections.ts'
import { useNodeStore } from './stores/nodes.ts'
import { useSettingsStore } from './stores/settings.ts'
import { useTabMemoryStore } from './stores/tab-memory.ts'
import './styles/index.css'

async function start(): Promise<void> {
  installIconSprite(document)
  loadFirstScreen()
  const app = createApp(App)
  app.use(createPinia())
  app.use(i18n)
  app.use(router)
  // Settings come first: they decide the theme of the first frame.
  await useSettingsStore().start()
  useNodeStore().start()
  await useConnectionStore().start()
  await useTabMemoryStore().start()
  app.mount('#app')
}

start().catch((failure: unknown) => {
  // Nothing is drawn yet that could show it, so the reason stands on the bare page.
  const page = document.querySelector('#app')
  if (page !== null) page.textContent = failure instanceof Error ? failure.message : String(failure)
})
