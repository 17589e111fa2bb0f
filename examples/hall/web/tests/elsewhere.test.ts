import { createPinia, setActivePinia } from 'pinia'
import { expect, test, vi } from 'vitest'

import { useTransfers } from '@/stores/transfers'
import { unfinishedUploads } from '@/transfers/unfinished'

import { unfinished } from './support/unfinished'

vi.mock('@/transfers/unfinished', async (original) => ({
  ...(await original<typeof import('@/transfers/unfinished')>()),
  unfinishedUploads: vi.fn(),
}))

test('an upload that another window still has, though it was slow to say so, is looked at again', async () => {
  setActivePinia(createPinia())
  const transfers = useTransfers()
  // Nobody answers whether it is held: it seems to be free each time it is asked.
  vi.mocked(unfinishedUploads)
    .mockResolvedValueOnce([unfinished({ elsewhere: true })])
    .mockResolvedValueOnce([unfinished({ elsewhere: true })])
    .mockResolvedValue([unfinished({ elsewhere: false })])
  await transfers.restore()
  expect(transfers.transfers.map(({ state }) => state)).toEqual(['elsewhere'])
  await vi.waitFor(() => expect(transfers.transfers.map(({ state }) => state)).toEqual(['unfinished']), {
    timeout: 10_000,
  })
})
