import { describe, expect, test } from 'vitest'
import { computed, nextTick, reactive } from 'vue'

import { Ledger } from '@/transfers/ledger'
import type { Transfer, TransferState } from '@/transfers/transfer'

function transfers(count: number, state: TransferState = 'waiting'): Transfer[] {
  return Array.from({ length: count }, (_, id) =>
    reactive({ id, name: `${id}`, parent: 'f', size: 1, sent: 0, speed: 0, state }),
  )
}

describe('a ledger of transfers', () => {
  test('counts by state, also for who watches', () => {
    const ledger = new Ledger()
    const active = computed(() => ledger.count('waiting', 'running'))
    const [one, two] = transfers(2) as [Transfer, Transfer]
    ledger.add([one, two])
    expect(active.value).toBe(2)
    ledger.move(one, 'running')
    ledger.move(one, 'done')
    ledger.move(two, 'failed')
    expect([active.value, ledger.count('done'), ledger.count('failed')]).toEqual([0, 1, 1])
    ledger.remove(new Set([two]))
    expect([ledger.count('failed'), ledger.list.value.length]).toEqual([0, 1])
  })

  test('shows few in their order, of many those that matter most', async () => {
    const ledger = new Ledger()
    const all = transfers(8)
    const [oldest, , , , , begun, refused] = all as [Transfer, ...Transfer[]]
    ledger.add(all)
    const first = (limit: number) => ledger.first(limit).map(({ id }) => id)
    const shown = computed(() => first(3))
    ledger.move(oldest, 'done')
    if (refused) ledger.move(refused, 'failed')
    if (begun) ledger.move(begun, 'running')
    await nextTick()
    expect(shown.value).toEqual([6, 5, 1])
    expect(first(8)).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  })

  test('keeps up with thousands of files, each of which starts and ends', () => {
    const ledger = new Ledger()
    const all = transfers(20_000)
    ledger.add(all)
    const began = performance.now()
    for (const transfer of all) {
      ledger.move(transfer, 'running')
      ledger.move(transfer, 'done')
      ledger.first(100)
    }
    expect(ledger.count('done')).toBe(20_000)
    expect((performance.now() - began) / all.length).toBeLessThan(1)
  })
})
