import { inject } from 'vitest'
import { createI18n } from 'vue-i18n'

import { messages as english } from '@/locales/en'
import { messages as chinese } from '@/locales/zh-CN'

import { PHONE, WIDE, type Look } from './looks'

declare module 'vitest' {
  export interface ProvidedContext {
    /** The look of this run, for the tests that are made in several. */
    look: Look | undefined
  }
}

/** The look of this run: English in a wide window unless it has another. */
export const look: Look = inject('look') ?? { locale: 'en', viewport: WIDE }

/** What the browser of this run asks for: a language as one region writes it. */
export const region = look.locale === 'en' ? 'en-GB' : look.locale

/** Whether the window is no wider than a phone's. */
export const isNarrow = look.viewport.width <= PHONE.width

/** Of vue-i18n's own type, which has every key in it, only this is wanted. */
interface Words {
  te(key: string, locale: string): boolean
  t(key: string, values: object, options: { locale: string; plural?: number }): string
}

const words: Words = createI18n({
  legacy: false,
  locale: look.locale,
  fallbackLocale: false,
  messages: { en: english, 'zh-CN': chinese } as never,
}).global as never

/** What the page says, in the language of this run where no other is asked for. A key without words is a mistake of the test. */
export function say(
  key: string,
  values: Record<string, string | number> = {},
  locale: Look['locale'] = look.locale,
): string {
  if (!words.te(key, locale)) throw new Error(`the page has no words for ${key}`)
  // An expression stands for more than one.
  const plural = typeof values.count === 'string' ? 2 : values.count
  return words.t(key, values, { locale, ...(plural === undefined ? {} : { plural }) })
}

/** The last minute of a day as the page says it to people in the region of this run. */
export function lastMinute(year: number, month: number, day: number): string {
  const format = new Intl.DateTimeFormat(region, { dateStyle: 'medium', timeStyle: 'short', timeZone: 'UTC' })
  return format.format(Date.UTC(year, month - 1, day, 23, 59))
}

/** Finds what the page says among other words; `values` may be expressions. */
export function saying(key: string, values: Record<string, string> = {}): RegExp {
  const places = Object.keys(values)
  const marked = say(key, Object.fromEntries(places.map((name) => [name, `<${name}>`])))
  const literal = marked.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  return new RegExp(places.reduce((text, name) => text.replaceAll(`<${name}>`, values[name] ?? ''), literal))
}
