import type { Health, HealthPart } from '@/api/types'

/** How a part is, from well to worst. */
export type Condition = 'up' | 'ailing' | 'readOnly' | 'down'

export function conditionOf(part: HealthPart): Condition {
  if (part.read_only) return 'readOnly'
  if (!part.up) return 'down'
  return part.reasons?.length ? 'ailing' : 'up'
}

/** What is wrong with it, in the hall's words; `detail` says no more where there are reasons. */
export function complaintsOf({ reasons, detail }: HealthPart): string[] {
  if (reasons?.length) return reasons
  return detail ? [detail] : []
}

/** The key of the words that sum it all up. */
export function summaryOf({ status, parts = [] }: Health): string {
  if (status !== 'ok') return 'allDown'
  const conditions = (parts ?? []).map(conditionOf)
  if (conditions.some((condition) => condition === 'down' || condition === 'readOnly')) return 'someDown'
  return conditions.includes('ailing') ? 'someAiling' : 'allUp'
}

/** The room that a store has, where it tells it; one that tells no total may have one. */
export function roomOf({ free_bytes: free, total_bytes: total }: HealthPart) {
  if (free === undefined || free === null) return undefined
  return { free, total: total ?? undefined }
}
