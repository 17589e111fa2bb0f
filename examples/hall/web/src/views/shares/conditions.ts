export const PASSWORDS = ['random', 'own', 'none'] as const
export const EXPIRIES = ['never', '1', '7', '30', 'own'] as const

/** What the form of a new share holds. */
export interface Conditions {
  password: (typeof PASSWORDS)[number]
  ownPassword: string
  expiry: (typeof EXPIRIES)[number]
  /** The last day, as a date field has it: `2026-11-24`. */
  lastDay: string
  maxDownloads: string
  networks: string
  drop: boolean
}

const DAY_MS = 86_400_000

export function usualConditions(): Conditions {
  return {
    password: 'random',
    ownPassword: '',
    expiry: '7',
    lastDay: '',
    maxDownloads: '',
    networks: '',
    drop: false,
  }
}

/** The request that these conditions are. */
export function bodyOf(conditions: Conditions, now = Date.now()) {
  const { password, ownPassword, maxDownloads, networks, drop } = conditions
  const allowed = networks.split(/[\s,，;；]+/).filter((network) => network !== '')
  return {
    password: { random: true, own: ownPassword, none: undefined }[password],
    expires: expires(conditions, now),
    max_downloads: maxDownloads && !drop ? Number(maxDownloads) : undefined,
    allow_from: allowed.length > 0 ? allowed : undefined,
    drop: drop || undefined,
  }
}

/** When the share ends: after so many days, or with the end of its last day where the person is. */
function expires({ expiry, lastDay }: Conditions, now: number): string | undefined {
  if (expiry === 'never') return undefined
  if (expiry !== 'own') return new Date(now + Number(expiry) * DAY_MS).toISOString()
  return lastDay ? new Date(`${lastDay}T23:59:59`).toISOString() : undefined
}

/** A date as a date field has it. */
export function dayOf(date: Date): string {
  const pad = (number: number) => String(number).padStart(2, '0')
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`
}
