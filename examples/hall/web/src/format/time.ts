const formats = new Map<string, Intl.DateTimeFormat>()

/** A time in the reader's zone, as their region writes it. */
export function time(rfc3339: string, locale: string): string {
  let format = formats.get(locale)
  if (!format) {
    format = new Intl.DateTimeFormat(regional(locale), { dateStyle: 'medium', timeStyle: 'short' })
    formats.set(locale, format)
  }
  return format.format(new Date(rfc3339))
}

/** A span of seconds: `1:05` or `2:03:04`. */
export function span(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  const pad = (number: number) => String(number).padStart(2, '0')
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  return hours > 0 ? `${hours}:${pad(minutes)}:${pad(rest)}` : `${minutes}:${pad(rest)}`
}

/** How the reader's own region writes: `en-GB` for a page in English when the browser says so. */
function regional(locale: string): string {
  const language = locale.split('-')[0]
  return navigator.languages.find((tag) => tag.split('-')[0] === language) ?? locale
}
