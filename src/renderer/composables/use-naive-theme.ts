/** The component library's theme, computed from the tokens: it calculates with colours, so it needs their values. */

import { darkTheme } from 'naive-ui'
import type { GlobalTheme, GlobalThemeOverrides } from 'naive-ui'
import { computed } from 'vue'
import type { ComputedRef } from 'vue'
import { useSettingsStore } from '../stores/settings.ts'
import { tokenReader } from './token-value.ts'

/** Theme and overrides that follow the settings. */
export function useNaiveTheme(): {
  readonly theme: ComputedRef<GlobalTheme | null>
  readonly overrides: ComputedRef<GlobalThemeOverrides>
} {
  const settings = useSettingsStore()
  return {
    theme: computed(() => (settings.theme === 'light' ? null : darkTheme)),
    // The store writes the theme to the root in an effect made before this one, so the tokens are already the new ones.
    overrides: computed(() => overridesFor(settings.theme, settings.settings.density)),
  }
}

function overridesFor(_theme: string, density: string): GlobalThemeOverrides {
  const tokenValue = tokenReader(document.documentElement)
  const height = density === 'compact' ? '24px' : '28px'
  return {
    common: {
      primaryColor: tokenValue('accent-solid'),
      primaryColorHover: tokenValue('accent-solid-hover'),
      primaryColorPressed: tokenValue('accent-solid-hover'),
      primaryColorSuppl: tokenValue('accent-solid'),
      bodyColor: tokenValue('bg-surface'),
      cardColor: tokenValue('bg-raised'),
      modalColor: tokenValue('bg-raised'),
      popoverColor: tokenValue('bg-raised'),
      inputColor: tokenValue('bg-surface'),
      borderColor: tokenValue('border'),
      dividerColor: tokenValue('border-subtle'),
      textColorBase: tokenValue('fg'),
      textColor1: tokenValue('fg'),
      textColor2: tokenValue('fg'),
      textColor3: tokenValue('fg-subtle'),
      errorColor: tokenValue('danger-solid'),
      successColor: tokenValue('ok-mark'),
      warningColor: tokenValue('warn-mark'),
      hoverColor: tokenValue('bg-hover'),
      borderRadius: '6px',
      fontFamily: 'var(--font-ui)',
      fontFamilyMono: 'var(--font-mono)',
      fontSize: '13px',
      fontSizeMedium: '13px',
      fontSizeSmall: '12px',
      heightMedium: height,
      heightSmall: '24px',
    },
    Dropdown: {
      optionHeightMedium: '28px',
      fontSizeMedium: '13px',
      padding: '4px',
      optionColorHover: tokenValue('bg-hover'),
      optionColorActive: tokenValue('bg-selected'),
    },
    Input: {
      border: `1px solid ${tokenValue('border-strong')}`,
      borderHover: `1px solid ${tokenValue('accent')}`,
      borderFocus: `1px solid ${tokenValue('accent')}`,
      color: tokenValue('bg-surface'),
      colorFocus: tokenValue('bg-surface'),
    },
    Select: {
      peers: {
        InternalSelection: {
          border: `1px solid ${tokenValue('border-strong')}`,
          arrowColor: tokenValue('fg-muted'),
        },
      },
    },
  }
}
