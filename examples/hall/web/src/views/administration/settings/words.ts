import type { Setting, SettingGroup } from '@/api/types'
import { duration } from '@/format/duration'
import { size } from '@/format/size'

type Translate = (key: string, values?: Record<string, unknown>) => string
type Has = (key: string) => boolean

/** Kinds of groups of which there may be several, each with a name. */
const NAMED = { 'stores.': 'store', 'mounts.': 'mount' }

function namedGroup(group: SettingGroup): [prefix: string, kind: string] | undefined {
  return Object.entries(NAMED).find(([prefix]) => group.name.startsWith(prefix))
}

/** What a group is about. */
export function groupWords(group: SettingGroup, t: Translate): string {
  const named = namedGroup(group)
  if (!named) return t(`settings.group.${group.name || 'hall'}`)
  const [prefix, kind] = named
  return t(`settings.group.${kind}`, { name: group.name.slice(prefix.length) })
}

/** Where the words for a setting are; stores and mounts share theirs. */
export function keyOf(group: SettingGroup, setting: Setting): string {
  const name = namedGroup(group) ? 'store' : group.name || 'hall'
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
  if (key.endsWith('_bytes_per_second')) return `${size(value, locale)}/s`
  if (key.endsWith('_kib')) return size(value * 1024, locale)
  if (key.endsWith('_ms')) return duration(value, locale)
  if (key.endsWith('_seconds')) return duration(value * 1000, locale)
  return new Intl.NumberFormat(locale).format(value)
}
