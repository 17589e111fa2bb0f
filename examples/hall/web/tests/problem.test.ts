import { describe, expect, test } from 'vitest'

import { Problem } from '@/api/problem'
import { words } from '@/api/words'

const known = ['problem.kind.not_found', 'problem.field.name', 'problem.status.503']
const say = (problem: Problem) =>
  words(
    problem,
    (key) => key,
    (key) => known.includes(key),
  )

describe('a problem in words', () => {
  test('is said by its kind', () => {
    expect(say(new Problem({ status: 404, kind: 'not_found' }))).toBe('problem.kind.not_found')
  })

  test('is said by the field that is wrong', () => {
    const problem = new Problem({ status: 422, kind: 'invalid_input', field: 'name' })
    expect(say(problem)).toBe('problem.field.name')
  })

  test('is said by its number when a proxy made it', () => {
    expect(say(new Problem({ status: 503 }))).toBe('problem.status.503')
  })

  test('is said to be unexpected when nothing is known of it', () => {
    expect(say(new Problem({ status: 418, kind: 'teapot' }))).toBe('problem.unknown')
  })
})

test('an answer that is no problem document is a problem all the same', async () => {
  const answer = new Response('<html>Bad Gateway</html>', { status: 502, headers: { 'retry-after': '7' } })
  const problem = await Problem.of(answer)
  expect([problem.status, problem.kind, problem.retryAfterSeconds]).toEqual([502, 'unknown', 7])
})
