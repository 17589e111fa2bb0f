import { describe, expect, test } from 'vitest'

import type { HealthPart } from '@/api/types'
import { complaintsOf, conditionOf, roomOf, summaryOf } from '@/views/administration/health'

const part = (more: Partial<HealthPart> = {}): HealthPart => ({
  name: 'primary',
  required: true,
  up: true,
  ...more,
})
const ailing = part({ reasons: ['two blocks are lost'] })
const readOnly = part({
  up: false,
  read_only: true,
  detail: 'it takes no new bytes: safe mode; a disk is old',
  reasons: ['safe mode', 'a disk is old'],
})
const down = part({ up: false, detail: 'no answer in time' })

describe('how a part is', () => {
  test('a store that can be read is not called down', () => {
    expect([part(), ailing, readOnly, down].map(conditionOf)).toEqual(['up', 'ailing', 'readOnly', 'down'])
  })

  test('each reason stands alone, and without one the detail is all there is', () => {
    expect([part(), ailing, readOnly, down].map(complaintsOf)).toEqual([
      [],
      ['two blocks are lost'],
      ['safe mode', 'a disk is old'],
      ['no answer in time'],
    ])
  })

  test('a store without a byte free has told its room, and one of an older hall has not', () => {
    expect(roomOf(part({ free_bytes: 0, total_bytes: 10 }))).toEqual({ free: 0, total: 10 })
    expect(roomOf(part({ free_bytes: 5 }))).toEqual({ free: 5, total: undefined })
    expect(roomOf(part())).toBeUndefined()
    expect(roomOf(part({ free_bytes: null }))).toBeUndefined()
  })
})

describe('the hall as a whole', () => {
  const of = (...parts: HealthPart[]) => summaryOf({ status: 'ok', parts })

  test('is as bad as its worst part', () => {
    expect(of(part())).toBe('allUp')
    expect(of(part(), ailing)).toBe('someAiling')
    expect(of(ailing, readOnly, part())).toBe('someDown')
    expect(of(down)).toBe('someDown')
  })

  test('is down when it says so, whatever its parts say', () => {
    expect(summaryOf({ status: 'down', parts: [part()] })).toBe('allDown')
    expect(summaryOf({ status: 'down' })).toBe('allDown')
  })
})
