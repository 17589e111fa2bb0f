const DAY_MS = 86_400_000

/** How many whole days are left until a time. */
export function daysLeft(until: string, now = Date.now()): number {
  return Math.max(0, Math.floor((new Date(until).getTime() - now) / DAY_MS))
}
