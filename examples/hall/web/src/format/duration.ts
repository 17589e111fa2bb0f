const UNITS = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1000],
  ['millisecond', 1],
] as const

/** A while as people say it, in the largest unit that says it without a fraction: `30 days`, `90 seconds`. */
export function duration(milliseconds: number, locale: string): string {
  const [unit, length] =
    UNITS.find(([, length]) => milliseconds >= length && milliseconds % length === 0) ?? UNITS[3]
  const style = { style: 'unit', unit, unitDisplay: 'long' } as const
  return new Intl.NumberFormat(locale, style).format(milliseconds / length)
}
