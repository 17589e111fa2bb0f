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

test('who only waits for something to be free takes it from nobody who asks for it', async () => {
  const many = windows(5)
  const got = many[0].hold('u1')
  for (const other of many.slice(1)) other.whenFree('u1')
  expect(await got).toBeTypeOf('function')
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

test('a window that was too busy to answer in time is heard later', async () => {
  let late = 0
  const asking = new WindowTalk('busy', () => (late += 1))
  const busy = new BroadcastChannel('busy')
  const asked: { from: string; question: number }[] = []
  busy.onmessage = ({ data }) => asked.push(data)
  expect(await asking.held()).toEqual(new Set())
  const [{ from, question }] = asked as [{ from: string; question: number }]
  busy.postMessage({ kind: 'have', to: from, question, ids: ['u1'] })
  await expect.poll(() => late).toBe(1)
  busy.close()
})
