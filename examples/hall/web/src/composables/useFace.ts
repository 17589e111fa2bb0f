import { api, ask } from '@/api/client'
import type { Settings } from '@/api/types'
import { hall } from '@/hall'
import type { Locale } from '@/i18n'

/** What the hall is called and speaks, changed by an administrator; the page shows it at once. */
export function useFace() {
  /** What is missing stays, and so does what the configuration says. */
  async function save(face: { name?: string; language?: Locale | null }): Promise<Settings> {
    const open = Object.entries(face).filter(([field]) => !hall.fixed.includes(field))
    const settings = await ask(api.PATCH('/api/v1/admin/settings', { body: Object.fromEntries(open) }))
    hall.name = settings.name
    hall.language = settings.language ?? null
    return settings
  }

  return { save }
}
