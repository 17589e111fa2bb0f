const UNITS = ['B', 'KB', 'MB', 'GB', 'TB', 'PB']

/** A size as people read it, in steps of 1024: `12.3 MB`. */
export function size(bytes: number, locale: string): string {
  const step = bytes < 1024 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), UNITS.length - 1)
  const value = bytes / 1024 ** step
  const digits = step === 0 || value >= 100 ? 0 : 1
  return `${formatOf(locale, digits).format(value)} ${UNITS[step]}`
}

/** Kept, as they cost more than a list's row: progress and lists ask for many. */
const formats = new Map<string, Intl.NumberFormat>()

function formatOf(locale: string, digits: number): Intl.NumberFormat {
  const key = `${locale} ${digits}`
  const format = formats.get(key) ?? new Intl.NumberFormat(locale, { maximumFractionDigits: digits })
  formats.set(key, format)
  return format
}
