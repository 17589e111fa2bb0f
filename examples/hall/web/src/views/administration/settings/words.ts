import type { Setting, SettingGroup } from '@/api/types'
import { duration } from '@/format/duration'
import { size } from '@/format/size'

type Translate = (key: string, values?: Record<string, unknown>) => string
type Has = (key: string) => boolean

const STORE = 'stores.'

/** What a group is about. */
export function groupWords(group: SettingGroup, t: Translate): string {
  if (!group.name.startsWith(STORE)) return t(`settings.group.${group.name || 'hall'}`)
  return t('settings.group.store', { name: group.name.slice(STORE.length) })
}

/** Where the words for a setting are; stores share theirs. */
export function keyOf(group: SettingGroup, setting: Setting): string {
  const name = group.name.startsWith(STORE) ? 'store' : group.name || 'hall'
  return `${name}.${setting.key}`
}

/** What a setting holds, with the unit that its key ends in. */
export function valueOf({ key, value, secret }: Setting, t: Translate, te: Has, locale: string): string {
  if (secret) return value ? t('settings.secretSet') : t('settings.unset')
  if (value === null || value === undefined || value === '') return t('settings.unset')
  if (typeof value === 'boolean') return value ? t('settings.yes') : t('settings.no')
  if (typeof value === 'number') return numberOf(key, value, locale)
  if (typeof value === 'string') {
    return te(`settings.word.${value}`) ? t(`settings.word.${value}`) : value
  }
  return value.length > 0 ? new Intl.ListFormat(locale, { type: 'unit' }).format(value) : t('settings.none')
}

function numberOf(key: string, value: number, locale: string): string {
  if (key.endsWith('_bytes')) return size(value, locale)
  if (key.endsWith('_kib')) return size(value * 1024, locale)
  if (key.endsWith('_ms')) return duration(value, locale)
  if (key.endsWith('_seconds')) return duration(value * 1000, locale)
  return new Intl.NumberFormat(locale).format(value)
}
