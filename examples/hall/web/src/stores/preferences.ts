import { defineStore } from 'pinia'
import { ref, watch } from 'vue'

import { hall } from '@/hall'
import { chooseLocale, LOCALES, showLocale, type Locale } from '@/i18n'

export const THEMES = ['system', 'light', 'dark'] as const
export type Theme = (typeof THEMES)[number]

const dark = window.matchMedia('(prefers-color-scheme: dark)')

/** What this browser remembers: language and theme. */
export const usePreferences = defineStore('preferences', () => {
  const locale = ref<Locale>(stored('locale', LOCALES) ?? hall.language ?? chooseLocale(navigator.languages))
  const theme = ref<Theme>(stored('theme', THEMES) ?? 'system')

  const paint = () => {
    const isDark = theme.value === 'dark' || (theme.value === 'system' && dark.matches)
    document.documentElement.classList.toggle('dark', isDark)
  }
  watch(theme, (chosen) => {
    store('theme', chosen)
    paint()
  })
  dark.addEventListener('change', paint)
  paint()

  async function chooseLanguage(chosen: Locale) {
    await showLocale(chosen)
    locale.value = chosen
    store('locale', chosen)
  }

  return { locale, theme, chooseLanguage }
})

const PREFIX = 'campusdisk.'

function stored<T extends string>(key: string, known: readonly T[]): T | undefined {
  try {
    const value = localStorage.getItem(PREFIX + key)
    return known.find((candidate) => candidate === value)
  } catch {
    // A browser may refuse to remember anything.
    return undefined
  }
}

function store(key: string, value: string) {
  try {
    localStorage.setItem(PREFIX + key, value)
  } catch {
    // Then it is chosen again next time.
  }
}
