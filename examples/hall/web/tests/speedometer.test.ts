import { expect, test } from 'vitest'

import { Speedometer } from '@/transfers/speedometer'

test('the speed is that of the last seconds, not of the whole transfer', () => {
  const meter = new Speedometer()
  expect(meter.speed(0, 0)).toBe(0)
  expect(meter.speed(1000, 1000)).toBe(1000)
  for (let second = 2; second <= 20; second += 1) meter.speed(1000 + (second - 1) * 500, second * 1000)
  expect(meter.speed(11_000, 21_000)).toBeCloseTo(500, 0)
})
