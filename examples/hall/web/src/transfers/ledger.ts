import { computed, ref, shallowReactive, shallowRef, type ComputedRef } from 'vue'

import type { Transfer, TransferState } from './transfer'

/** In which order states matter to people: what asks for them first. */
const BY_NEED: readonly TransferState[] = [
  'failed',
  'unfinished',
  'running',
  'paused',
  'waiting',
  'elsewhere',
  'done',
]

/**
 * Transfers by what they are at. A folder has thousands of files and each changes its state some times, so nothing here
 * walks through all of them for one.
 */
export class Ledger {
  private readonly all = shallowRef<readonly Transfer[]>([])
  private readonly byState = new Map<TransferState, Set<Transfer>>(BY_NEED.map((state) => [state, new Set()]))
  private readonly counts = shallowReactive(
    Object.fromEntries(BY_NEED.map((state) => [state, 0])) as Record<TransferState, number>,
  )
  /** Counts the changes, for what is made of the sets. */
  private readonly changes = ref(0)

  readonly list: ComputedRef<readonly Transfer[]> = computed(() => this.all.value)

  count(...states: TransferState[]): number {
    return states.reduce((sum, state) => sum + this.counts[state], 0)
  }

  /** Those in a state, the oldest in it first. */
  *in(state: TransferState): Iterable<Transfer> {
    void this.changes.value
    yield* this.byState.get(state) ?? []
  }

  /** All where they are few, in their order; else as many of those that matter most. */
  first(limit: number): readonly Transfer[] {
    void this.changes.value
    if (this.all.value.length <= limit) return this.all.value
    const shown: Transfer[] = []
    for (const state of BY_NEED) {
      for (const transfer of this.byState.get(state) ?? []) {
        if (shown.length === limit) return shown
        shown.push(transfer)
      }
    }
    return shown
  }

  add(transfers: readonly Transfer[]): void {
    for (const transfer of transfers) this.enter(transfer)
    this.all.value = [...this.all.value, ...transfers]
  }

  /** The only way in which a transfer comes to another state. */
  move(transfer: Transfer, state: TransferState): void {
    if (transfer.state === state) return
    this.leave(transfer)
    transfer.state = state
    this.enter(transfer)
  }

  remove(gone: ReadonlySet<Transfer>): void {
    if (gone.size === 0) return
    for (const transfer of gone) this.leave(transfer)
    this.all.value = this.all.value.filter((transfer) => !gone.has(transfer))
  }

  private enter(transfer: Transfer): void {
    this.byState.get(transfer.state)?.add(transfer)
    this.counts[transfer.state] += 1
    this.changes.value += 1
  }

  private leave(transfer: Transfer): void {
    if (!this.byState.get(transfer.state)?.delete(transfer)) return
    this.counts[transfer.state] -= 1
    this.changes.value += 1
  }
}
