import { describe, expect, test } from 'vitest'

import { bodyOf, usualConditions } from '@/views/shares/conditions'
import { daysLeft } from '@/views/trash/days'

const NOW = Date.parse('2026-11-24T10:00:00Z')

describe('the conditions of a share', () => {
  test('are a random code and a week where nobody changes them', () => {
    expect(JSON.parse(JSON.stringify(bodyOf(usualConditions(), NOW)))).toEqual({
      password: true,
      expires: '2026-12-01T10:00:00.000Z',
    })
  })

  test('take networks with any comma between', () => {
    const networks = ' 10.0.0.0/8，192.168.1.1, ::1'
    expect(bodyOf({ ...usualConditions(), networks }).allow_from).toEqual([
      '10.0.0.0/8',
      '192.168.1.1',
      '::1',
    ])
  })

  test('let a share end with its last day, not before', () => {
    const { expires } = bodyOf({ ...usualConditions(), expiry: 'own', lastDay: '2026-11-24' })
    expect(new Date(expires ?? '')).toEqual(new Date(2026, 10, 24, 23, 59, 59))
  })

  test('count no downloads of what takes files in', () => {
    const body = bodyOf({ ...usualConditions(), drop: true, maxDownloads: '3', password: 'none' })
    expect(body).toMatchObject({ drop: true, max_downloads: undefined, password: undefined })
  })
})

test('a day that has begun to pass is still left, and never are fewer left than none', () => {
  expect(daysLeft('2026-11-27T09:00:00Z', NOW)).toBe(3)
  expect(daysLeft('2026-11-20T09:00:00Z', NOW)).toBe(0)
})
