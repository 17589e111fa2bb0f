import { expect, test } from 'vitest'

import { returnPath } from '@/router/guard'

test('the way back after signing in stays on this page', () => {
  expect(returnPath('/drive/abc?sort=size')).toBe('/drive/abc?sort=size')
  for (const elsewhere of [
    '//evil.example',
    '/\\evil.example',
    'https://evil.example',
    'drive',
    undefined,
    ['/a'],
  ]) {
    expect(returnPath(elsewhere)).toBe('/')
  }
})
