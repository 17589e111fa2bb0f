/** A language, and the size of a window. */
export interface Look {
  locale: 'en' | 'zh-CN'
  viewport: { width: number; height: number }
}

export const WIDE = { width: 1440, height: 900 }
export const PHONE = { width: 360, height: 740 }

/** Each language and each width. */
const FEW: Record<string, Look> = {
  'en-wide': { locale: 'en', viewport: WIDE },
  'zh-phone': { locale: 'zh-CN', viewport: PHONE },
}
const ALL: Record<string, Look> = {
  ...FEW,
  'en-phone': { locale: 'en', viewport: PHONE },
  'zh-wide': { locale: 'zh-CN', viewport: WIDE },
}

/** In which looks people go their ways; in a full run in each language at each width. */
export const LOOKS = process.env.CAMPUSDISK_PAGE_FULL === '1' ? ALL : FEW
