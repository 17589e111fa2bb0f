import type { Unfinished } from '@/transfers/unfinished'

/** An upload that an earlier window began. */
export const unfinished = (facts: Partial<Unfinished> = {}): Unfinished => ({
  id: 'u1',
  url: 'http://hall/api/v1/uploads/u1',
  name: 'a.txt',
  parent: 'f1',
  size: 3,
  sent: 1,
  begun: '2026-01-01T00:00:00Z',
  elsewhere: false,
  ...facts,
})
