/// <reference types="vite/client" />

declare module '*.vue' {
  import type { DefineComponent } from 'vue'

  /** For tools that do not read components; `vue-tsc` knows each one's own type. */
  const component: DefineComponent
  // eslint-disable-next-line no-restricted-syntax -- a component file exports its component so
  export default component
}
