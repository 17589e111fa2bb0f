import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { describe, expect, test } from 'vitest'

import { LOCALES } from '@/i18n'

const src = join(process.cwd(), 'src')

/** All messages of a language by their whole keys. */
function messagesOf(locale: string): Map<string, string> {
  const folder = join(src, 'locales', locale)
  const found = new Map<string, string>()
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.json'))) {
    flatten(JSON.parse(readFileSync(join(folder, file), 'utf8')), file.slice(0, -'.json'.length), found)
  }
  return found
}

function flatten(messages: object, prefix: string, into: Map<string, string>) {
  for (const [key, message] of Object.entries(messages)) {
    if (typeof message === 'string') into.set(`${prefix}.${key}`, message)
    else flatten(message, `${prefix}.${key}`, into)
  }
}

function sources(folder = src): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return entry.name === 'locales' ? [] : sources(path)
    return /\.(ts|vue)$/.test(entry.name) ? [readFileSync(path, 'utf8')] : []
  })
}

const all = Object.fromEntries(LOCALES.map((locale) => [locale, messagesOf(locale)]))
const [first = new Map<string, string>()] = Object.values(all)
const areas = new Set([...first.keys()].map((key) => key.split('.')[0]))

/** Every text in the sources that looks like a key: the name of an area, a dot, and more. */
const text = sources().join('\n')
const literals = new Set([...text.matchAll(/['"`]([a-z]\w*(?:\.\w+)+)['"`]/gi)].map(([, key]) => key ?? ''))
const named = [...literals].filter((key) => areas.has(key.split('.')[0]))
/** Beginnings of keys whose end is computed: `problem.kind.${…}`. */
const begun = [...text.matchAll(/`([a-z]\w*(?:\.\w+)*\.)\$\{/gi)].map(([, start]) => start ?? '')

describe('messages', () => {
  test.each(LOCALES)('%s has every key that another language has', (locale) => {
    const missing = [...first.keys()].filter((key) => !all[locale]?.has(key))
    const alone = [...(all[locale]?.keys() ?? [])].filter((key) => !first.has(key))
    expect({ missing, alone }).toEqual({ missing: [], alone: [] })
  })

  test('every key that the page names is there', () => {
    expect(named.filter((key) => !first.has(key))).toEqual([])
  })

  test('every key is named by the page', () => {
    const isUsed = (key: string) => literals.has(key) || begun.some((start) => key.startsWith(start))
    expect([...first.keys()].filter((key) => !isUsed(key))).toEqual([])
  })

  test.each(LOCALES)('%s fills in the same values as the others', (locale) => {
    const values = (message = '') => [...new Set(message.match(/\{\w+\}/g))].sort()
    const different = [...first].filter(([key, message]) => {
      return values(message).join() !== values(all[locale]?.get(key)).join()
    })
    expect(different.map(([key]) => key)).toEqual([])
  })

  test.each(LOCALES)('%s has no empty message and no markup', (locale) => {
    const odd = [...(all[locale] ?? [])].filter(
      ([, message]) => message.trim() === '' || /[<>]/.test(message),
    )
    expect(odd).toEqual([])
  })
})
