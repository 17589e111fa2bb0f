import { createPinia, setActivePinia } from 'pinia'
import { expect, test, vi } from 'vitest'

import { useTransfers } from '@/stores/transfers'
import { unfinishedUploads, type Unfinished } from '@/transfers/unfinished'

vi.mock('@/transfers/unfinished', async (original) => ({
  ...(await original<typeof import('@/transfers/unfinished')>()),
  unfinishedUploads: vi.fn(),
}))

const upload = (elsewhere: boolean): Unfinished => ({
  id: 'u1',
  url: 'http://hall/api/v1/uploads/u1',
  name: 'a.txt',
  parent: 'f1',
  size: 3,
  sent: 1,
  begun: '2026-01-01T00:00:00Z',
  elsewhere,
})

test('an upload that another window still has, though it was slow to say so, is looked at again', async () => {
  setActivePinia(createPinia())
  const transfers = useTransfers()
  // Nobody answers whether it is held: it seems to be free each time it is asked.
  vi.mocked(unfinishedUploads)
    .mockResolvedValueOnce([upload(true)])
    .mockResolvedValueOnce([upload(true)])
    .mockResolvedValue([upload(false)])
  await transfers.restore()
  expect(transfers.transfers.map(({ state }) => state)).toEqual(['elsewhere'])
  await vi.waitFor(() => expect(transfers.transfers.map(({ state }) => state)).toEqual(['unfinished']), {
    timeout: 10_000,
  })
})
