import { createI18n } from 'vue-i18n'

export const LOCALES = ['zh-CN', 'en'] as const
export type Locale = (typeof LOCALES)[number]

/** How each language calls itself. */
export const LOCALE_NAMES: Record<Locale, string> = { 'zh-CN': '简体中文', en: 'English' }

/** The languages are loaded when they are wanted. */
const loaders: Record<Locale, () => Promise<{ messages: object; elements: object }>> = {
  'zh-CN': () => import('@/locales/zh-CN'),
  en: () => import('@/locales/en'),
}

export const i18n = createI18n({
  legacy: false,
  locale: 'en',
  fallbackLocale: false,
  missingWarn: false,
  messages: {},
})

/** The words of Element Plus's own parts, by language. */
export const elementWords: Partial<Record<Locale, object>> = {}

/** The language among `preferred` that the page has: Chinese of any kind, else English. */
export function chooseLocale(preferred: readonly string[]): Locale {
  for (const tag of preferred) {
    const language = tag.toLowerCase().split('-')[0]
    if (language === 'zh') return 'zh-CN'
    if (language === 'en') return 'en'
  }
  return 'en'
}

export async function showLocale(locale: Locale): Promise<void> {
  if (!elementWords[locale]) {
    const { messages, elements } = await loaders[locale]()
    i18n.global.setLocaleMessage(locale, messages as never)
    elementWords[locale] = elements
  }
  i18n.global.locale.value = locale as never
  document.documentElement.lang = locale
}
