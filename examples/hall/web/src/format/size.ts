const UNITS = ['B', 'KB', 'MB', 'GB', 'TB', 'PB']

/** A size as people read it, in steps of 1024: `12.3 MB`. */
export function size(bytes: number, locale: string): string {
  const step = bytes < 1024 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), UNITS.length - 1)
  const value = bytes / 1024 ** step
  const digits = step === 0 || value >= 100 ? 0 : 1
  const number = new Intl.NumberFormat(locale, { maximumFractionDigits: digits }).format(value)
  return `${number} ${UNITS[step]}`
}
