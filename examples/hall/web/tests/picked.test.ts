import { expect, test } from 'vitest'

import { fingerprint, inOrder, journey, readFingerprint } from '@/transfers/picked'

const file = new File(['abc'], 'a|b.txt', { lastModified: 7 })

test('what a browser remembers of an upload tells its way, its place and the choice for a taken name', () => {
  const path = 'photos/of|us/a|b.txt'
  expect(readFingerprint(fingerprint({ file, path }, 'f1', 'rename'))).toEqual({
    onConflict: 'rename',
    journey: journey({ file, path }, 'f1'),
    path,
    lastModified: 7,
  })
  expect(readFingerprint(fingerprint({ file }, 'f1', 'fail'))?.path).toBeUndefined()
})

test('what another page remembered is not taken for it', () => {
  expect(readFingerprint('tus-br-a.txt-text/plain-3-7')).toBeUndefined()
  expect(readFingerprint('campusdisk|f1|a.txt|fail|3|7')).toBeUndefined()
})

test('what was picked goes in the order of its paths, and files without one as they were chosen', () => {
  const paths = (...given: (string | undefined)[]) =>
    inOrder(given.map((path) => ({ file, path }))).map(({ path }) => path)
  expect(paths('b/2', 'a/9', 'b/1')).toEqual(['a/9', 'b/1', 'b/2'])
  const [first, second] = [new File([], 'z'), new File([], 'a')]
  expect(inOrder([{ file: first }, { file: second }]).map((picked) => picked.file)).toEqual([first, second])
})
