import { expect, test } from 'vitest'

import { chooseLocale } from '@/i18n'

test('the first language that the page has is shown', () => {
  expect(chooseLocale(['zh'])).toBe('zh-CN')
  expect(chooseLocale(['zh-TW', 'en'])).toBe('zh-CN')
  expect(chooseLocale(['fr', 'en-GB', 'zh'])).toBe('en')
  expect(chooseLocale(['fr', 'zh-Hans-CN'])).toBe('zh-CN')
  expect(chooseLocale([])).toBe('en')
})
