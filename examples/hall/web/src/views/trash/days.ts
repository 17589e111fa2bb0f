const DAY_MS = 86_400_000

/** How many days are left until a time; the last one counts until its end. */
export function daysLeft(until: string, now = Date.now()): number {
  return Math.max(0, Math.ceil((new Date(until).getTime() - now) / DAY_MS))
}
