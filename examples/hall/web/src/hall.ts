/** What the hall wrote into the page when it sent it. */
export interface HallFacts {
  /** The name of this hall, as its operator set it. */
  name: string
  /** Whether people may make accounts for themselves. */
  registration: boolean
  /** Whether the browser showed a session; it may have ended. */
  session: boolean
}

const defaults: HallFacts = { name: 'CampusDisk', registration: true, session: true }

/** Where the hall's paths begin; ends with a slash. */
export const root: URL = new URL('./', document.baseURI)

export const hall: HallFacts = {
  ...defaults,
  ...JSON.parse(document.querySelector<HTMLMetaElement>('meta[name="hall"]')?.content || '{}'),
}

/** The address of a path of the hall, such as `api/v1/me`. */
export function address(path: string): string {
  return new URL(path, root).href
}
