import type { HttpRequest, HttpResponse } from 'tus-js-client'
import { describe, expect, test } from 'vitest'

import { Problem } from '@/api/problem'
import { fingerprint, readFingerprint, type Known } from '@/transfers/picked'
import { isPassing, keepUpload } from '@/transfers/retries'
import { mismatch, uploadId } from '@/transfers/unfinished'
import { randomPassword } from '@/views/administration/random-password'

import { unfinished } from './support/unfinished'

const file = (text: string, name = 'a.txt', lastModified = 7) => new File([text], name, { lastModified })

describe('going on', () => {
  const known = readFingerprint(fingerprint({ file: file('abc') }, 'f1', 'fail')) as Known
  const remembered = { key: 'tus::x::1', known }

  test('is for the file that was begun: its name, its length and when it changed', () => {
    expect(mismatch(unfinished({ remembered }), file('abc'))).toBeUndefined()
    expect(mismatch(unfinished({ remembered }), file('abc', 'b.txt'))).toBe('otherFile')
    expect(mismatch(unfinished({ remembered }), file('abcd'))).toBe('fileChanged')
    expect(mismatch(unfinished({ remembered }), file('abc', 'a.txt', 8))).toBe('fileChanged')
  })

  test('asks for name and length only, where another browser began', () => {
    expect(mismatch(unfinished(), file('abc', 'a.txt', 8))).toBeUndefined()
    expect(mismatch(unfinished(), file('ab'))).toBe('fileChanged')
  })

  test('knows an upload by its address, below any prefix', () => {
    expect(uploadId('https://hall.example/portal/api/v1/uploads/u1')).toBe('u1')
  })
})

describe('a refusal', () => {
  test.each([
    [0, 'unreachable', true],
    [409, 'conflict', true],
    [409, 'exists', false],
    [429, 'throttled', true],
    [500, 'unknown', true],
    [503, 'unavailable', true],
    [401, 'unauthenticated', false],
    [403, 'denied', false],
    [413, 'too_large', false],
    [507, 'quota_exceeded', false],
  ])('%i %s passes by itself: %s', (status, kind, passes) => {
    expect(isPassing(new Problem({ status, kind }))).toBe(passes)
  })

  const answer = (method: string, status: number) => () =>
    keepUpload(
      { getMethod: () => method } as HttpRequest,
      { getStatus: () => status, getBody: () => '' } as HttpResponse,
    )

  test('begins an upload anew only where it is gone', () => {
    for (const status of [401, 403, 429, 500, 502, 503]) expect(answer('HEAD', status)).toThrow(Problem)
    for (const status of [200, 404, 410]) expect(answer('HEAD', status)).not.toThrow()
    expect(answer('PATCH', 503)).not.toThrow()
  })
})

test('a password that is given away can be read out, and is another each time', () => {
  const given = Array.from({ length: 50 }, randomPassword)
  expect(new Set(given).size).toBe(50)
  expect(given.filter((password) => !/^([a-hjkmnp-z2-9]{5}-){2}[a-hjkmnp-z2-9]{5}$/.test(password))).toEqual(
    [],
  )
})
