import { expect, test } from 'vitest'

import { size } from '@/format/size'
import { span } from '@/format/time'

test('sizes are said in the largest unit that leaves a digit before the point', () => {
  expect(
    [0, 1, 1023, 1024, 1536, 102_400, 5 * 1024 ** 3, 1024 ** 5].map((bytes) => size(bytes, 'en')),
  ).toEqual(['0 B', '1 B', '1,023 B', '1 KB', '1.5 KB', '100 KB', '5 GB', '1 PB'])
})

test('spans are minutes and seconds, with hours where there are some', () => {
  expect([0, 5, 65, 3599.6, 7384].map(span)).toEqual(['0:00', '0:05', '1:05', '1:00:00', '2:03:04'])
})
