/** What a browser says of itself, in the order in which it has to be asked: most claim to be others too. */
const BROWSERS: readonly (readonly [name: string, sign: RegExp])[] = [
  ['WeChat', /MicroMessenger\//],
  ['QQ Browser', /QQBrowser\//],
  ['UC Browser', /UCBrowser\//],
  ['Edge', /\bEdg(e|A|iOS)?\//],
  ['Opera', /\b(OPR|Opera)\//],
  ['Samsung Internet', /SamsungBrowser\//],
  ['Firefox', /\b(Firefox|FxiOS)\//],
  ['Chrome', /\b(Chrome|CriOS|Chromium|HeadlessChrome)\//],
  ['Safari', /\bSafari\//],
]

const SYSTEMS: readonly (readonly [name: string, sign: RegExp])[] = [
  ['iPhone', /\biPhone\b/],
  ['iPad', /\biPad\b/],
  ['HarmonyOS', /HarmonyOS|OpenHarmony/],
  ['Android', /\bAndroid\b/],
  ['Windows', /\bWindows\b/],
  ['ChromeOS', /\bCrOS\b/],
  ['macOS', /\bMacintosh\b|\bMac OS X\b/],
  ['Linux', /\bLinux\b|\bX11\b/],
]

const find = (known: typeof BROWSERS, userAgent: string) =>
  known.find(([, sign]) => sign.test(userAgent))?.[0]

/** The browser and the system behind a `User-Agent`, as far as it tells them; a program by its own name. */
export function device(userAgent: string | null | undefined): { browser?: string; system?: string } {
  const text = userAgent ?? ''
  const program = /^(?!Mozilla\b)([\w.-]{1,40})/.exec(text)?.[1]
  return { browser: find(BROWSERS, text) ?? program, system: find(SYSTEMS, text) }
}
