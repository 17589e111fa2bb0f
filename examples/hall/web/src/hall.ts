import { reactive } from 'vue'

import type { Locale } from '@/i18n'

/** What the hall wrote into the page when it sent it. */
export interface HallFacts {
  /** The name of this hall, as its operator set it. */
  name: string
  /** The language for people who have chosen none; null is their browser's. */
  language: Locale | null
  /** Which of name and language the configuration says: nobody can change those here. */
  fixed: string[]
  /** Where its own logo is, where it has one. */
  logo: string | null
  /** Whether people may make accounts for themselves. */
  registration: boolean
  /** Whether the browser showed a session; it may have ended. */
  session: boolean
}

const defaults: HallFacts = {
  name: 'CampusDisk',
  language: null,
  fixed: [],
  logo: null,
  registration: true,
  session: true,
}

/** Where the hall's paths begin; ends with a slash. */
export const root: URL = new URL('./', document.baseURI)

/** An administrator may change some of it while the page is open. */
export const hall: HallFacts = reactive({
  ...defaults,
  ...JSON.parse(document.querySelector<HTMLMetaElement>('meta[name="hall"]')?.content || '{}'),
})

/** The address of a path of the hall, such as `api/v1/me`. */
export function address(path: string): string {
  return new URL(path, root).href
}
