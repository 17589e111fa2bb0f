import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { describe, expect, test } from 'vitest'

import type { Setting } from '@/api/types'
import { duration } from '@/format/duration'
import { LOCALES } from '@/i18n'
import { groupWords, keyOf, valueOf } from '@/views/administration/settings/words'

/** Every key of the hall's commented configuration, also of the stores that are not there by default. */
function keys(): { group: string; key: string }[] {
  let group = ''
  const found = [{ group: 'stores.primary', key: 'kind' }]
  const configuration = process.env.CAMPUSDISK_HALL_TOML ?? join(process.cwd(), '../hall.toml')
  for (const line of readFileSync(configuration, 'utf8').split('\n')) {
    const bare = line.replace(/^#(?! )/, '')
    const section = /^\[([\w.]+)\]$/.exec(bare)?.[1]
    const key = /^(\w+) = /.exec(bare)?.[1]
    if (section) group = section
    else if (key) found.push({ group, key })
  }
  return found
}

const setting = (key: string, value: Setting['value'], more = {}): Setting => ({
  key,
  value,
  changed: false,
  ...more,
})
const say = (key: string, value: Setting['value'], more = {}) =>
  valueOf(
    setting(key, value, more),
    (words) => words,
    (words) => words === 'settings.word.closed',
    'en',
  )

describe('the configuration in words', () => {
  test.each(LOCALES)('%s has words for every key of the configuration', (locale) => {
    const path = join(process.cwd(), 'src/locales', locale, 'settings.json')
    const words = JSON.parse(readFileSync(path, 'utf8')) as {
      key: Record<string, Record<string, string>>
      group: Record<string, string>
    }
    const missing = keys().filter(({ group, key }) => {
      const [area = '', name = ''] = keyOf({ name: group, settings: [] }, setting(key, null)).split('.')
      return !words.key[area]?.[name] || !words.group[area]
    })
    expect(missing).toEqual([])
  })

  test('a value has the unit that its key ends in', () => {
    expect(say('max_file_bytes', 5 * 1024 ** 4)).toBe('5 TB')
    expect(say('argon2_memory_kib', 19_456)).toBe('19 MB')
    expect(say('trash_rest_seconds', 2_592_000)).toBe('30 days')
    expect(say('watch_period_ms', 400)).toBe('400 milliseconds')
    expect(say('max_connections', 4096)).toBe('4,096')
  })

  test('secrets, truths, words and what is not set are said in words', () => {
    expect(say('secret_access_key', true, { secret: true })).toBe('settings.secretSet')
    expect(say('secret_access_key', false, { secret: true })).toBe('settings.unset')
    expect(say('requests', false)).toBe('settings.no')
    expect(say('registration', 'closed')).toBe('settings.word.closed')
    expect(say('prefix', '')).toBe('settings.unset')
    expect(say('trusted_proxies', [])).toBe('settings.none')
    expect(say('trusted_proxies', ['10.0.0.0/8', '::1/128'])).toBe('10.0.0.0/8, ::1/128')
  })

  test('a store is named by its name', () => {
    const t = (key: string, values?: Record<string, unknown>) => `${key} ${values?.name ?? ''}`
    expect(groupWords({ name: 'stores.archive', settings: [] }, t)).toBe('settings.group.store archive')
  })

  test('a while is said without a fraction', () => {
    expect(duration(90_000, 'en')).toBe('90 seconds')
    expect(duration(7_200_000, 'zh-CN')).toBe('2小时')
    expect(duration(0, 'en')).toBe('0 seconds')
  })
})
