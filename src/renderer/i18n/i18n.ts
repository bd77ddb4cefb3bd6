import { createI18n } from 'vue-i18n'
import { en } from './en.ts'

/** The texts of the window. Messages are compiled to data, never to code, so a strict content policy holds. */
export const i18n = createI18n({
  legacy: false,
  locale: 'en',
  fallbackLocale: 'en',
  messages: { en },
  // Command ids contain dots.
  flatJson: true,
})
