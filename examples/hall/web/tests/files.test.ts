import { describe, expect, test } from 'vitest'
import { nextTick, ref } from 'vue'

import { useSelection } from '@/composables/useSelection'
import { numbered } from '@/views/files/useNodeWork'
import { decode } from '@/views/preview/decode'
import { previewKind } from '@/views/preview/kind'

describe('a selection', () => {
  const items = ref(['a', 'b', 'c', 'd'].map((id) => ({ id })))
  const { chosen, selected, select, selectAll, clear } = useSelection(items)

  test('goes from the last choice to a row that is clicked with shift', () => {
    select('b', 'toggle')
    select('d', 'range')
    expect([...chosen.value]).toEqual(['b', 'c', 'd'])
    select('c', 'toggle')
    select('a', 'range')
    expect(selected.value.map(({ id }) => id)).toEqual(['a', 'b', 'c', 'd'])
    select('c', 'only')
    expect([...chosen.value]).toEqual(['c'])
  })

  test('forgets what is no longer there', async () => {
    selectAll()
    items.value = items.value.slice(1)
    await nextTick()
    expect([...chosen.value]).toEqual(['b', 'c', 'd'])
    clear()
    expect(selected.value).toEqual([])
  })
})

test('a copy whose name is taken gets a number before its ending', () => {
  expect([numbered('a.txt', 1), numbered('a.txt', 2), numbered('.env', 2), numbered('folder', 3)]).toEqual([
    'a.txt',
    'a (2).txt',
    '.env (2)',
    'folder (3)',
  ])
})

test('what could run scripts is shown as text or not at all', () => {
  const kind = (name: string, mime?: string) => previewKind({ kind: 'file', name, mime })
  expect(kind('a.svg', 'image/svg+xml')).toBeUndefined()
  expect(kind('a.html', 'text/html')).toBe('text')
  expect(kind('a.bin', 'application/octet-stream')).toBeUndefined()
  expect(kind('a.md', 'text/plain')).toBe('markdown')
  expect(kind('a.png', 'image/png')).toBe('image')
})

test('text is read as UTF-8, also where it is cut in a character, else as GB 18030', () => {
  const bytes = (...values: number[]) => new Uint8Array(values).buffer
  expect(decode(bytes(0xe8, 0xaf, 0xbe, 0xe7, 0xa8))).toBe('课')
  expect(decode(bytes(0xbf, 0xce, 0xb3, 0xcc))).toBe('课程')
})
