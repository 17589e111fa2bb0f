import { expect, test } from 'vitest'

import { WindowTalk } from '@/transfers/window-talk'

let rooms = 0

/** Windows of one browser. */
const windows = (count: number) => {
  rooms += 1
  return Array.from({ length: count }, () => new WindowTalk(`room ${rooms}`)) as [WindowTalk, WindowTalk]
}

test('what one window holds no other gets, until it lets go', async () => {
  const [one, two] = windows(2)
  const release = await one.hold('u1')
  expect(await two.hold('u1')).toBeUndefined()
  expect(await two.held()).toEqual(new Set(['u1']))
  expect(await two.hold('u2')).toBeTypeOf('function')
  const free = two.whenFree('u1')
  release?.()
  await free
  expect(await two.hold('u1')).toBeTypeOf('function')
})

test('of windows that ask at once exactly one gets it', async () => {
  const many = windows(5)
  const got = await Promise.all(many.map((window) => window.hold('u1')))
  expect(got.filter((release) => release !== undefined)).toHaveLength(1)
})

test('a window that is closed holds nothing', async () => {
  const [one, two] = windows(2)
  await one.hold('u1')
  const free = two.whenFree('u1')
  // All windows of this test hear it: only the first holds something.
  window.dispatchEvent(new Event('pagehide'))
  await free
  expect(await two.hold('u1')).toBeTypeOf('function')
})
