import { computed, shallowRef, watch, type Ref } from 'vue'

/** How a click or a key changes what is chosen. */
export type SelectMode = 'only' | 'toggle' | 'range'

/** Which entries of a list are chosen. */
export function useSelection<T extends { id: string }>(items: Ref<readonly T[]>) {
  const chosen = shallowRef<ReadonlySet<string>>(new Set())
  const selected = computed(() => items.value.filter(({ id }) => chosen.value.has(id)))
  /** Where a range begins. */
  let anchor: string | undefined

  function select(id: string, mode: SelectMode) {
    if (mode === 'range' && anchor !== undefined) {
      chosen.value = new Set([...chosen.value, ...between(anchor, id)])
      return
    }
    anchor = id
    if (mode === 'only') {
      chosen.value = new Set([id])
      return
    }
    const next = new Set(chosen.value)
    if (!next.delete(id)) next.add(id)
    chosen.value = next
  }

  function between(from: string, to: string): string[] {
    const ids = items.value.map(({ id }) => id)
    const ends = [ids.indexOf(from), ids.indexOf(to)].sort((a, b) => a - b)
    return ids.slice(Math.max(0, ends[0] ?? 0), (ends[1] ?? 0) + 1)
  }

  function selectAll() {
    chosen.value = new Set(items.value.map(({ id }) => id))
  }

  function clear() {
    chosen.value = new Set()
  }

  // What is no longer there is no longer chosen.
  watch(items, (now) => {
    if (chosen.value.size === 0) return
    const there = now.filter(({ id }) => chosen.value.has(id))
    if (there.length < chosen.value.size) chosen.value = new Set(there.map(({ id }) => id))
  })

  return { chosen, selected, select, selectAll, clear }
}
