import { useI18n } from 'vue-i18n'

import { api, ask } from '@/api/client'
import { Problem } from '@/api/problem'
import type { Node } from '@/api/types'
import { useWords } from '@/composables/useWords'
import { useNotices } from '@/stores/notices'

/** So many requests go at once when many entries are meant. */
const AT_ONCE = 4
/** So many names are tried for a copy whose name is taken. */
const NAMES = 50

/** What is done with several entries of the drive at once. */
export function useNodeWork(refresh: () => Promise<void>) {
  const { t } = useI18n()
  const { attempt } = useWords()
  const notices = useNotices()

  /** Deletes them; a notice brings them back. */
  async function remove(nodes: readonly Node[]) {
    const gone: Node[] = []
    await forEach(nodes, async (node) => {
      const params = { path: { id: node.id } }
      if (await attempt(() => api.DELETE('/api/v1/nodes/{id}', { params }))) gone.push(node)
    })
    if (gone.length < nodes.length || nodes.length > 1) await refresh()
    if (gone.length === 0) return
    const text =
      gone.length === 1
        ? t('drive.deleted', { name: gone[0]?.name ?? '' })
        : t('drive.deletedMany', { count: gone.length })
    const action = { label: t('drive.undo'), run: () => bringBack(gone) }
    notices.say(text, { action, about: gone.map(({ id }) => id) })
  }

  async function bringBack(nodes: readonly Node[]) {
    const body = { on_conflict: 'rename' as const }
    await forEach(nodes, async ({ id }) => {
      await attempt(() => api.POST('/api/v1/trash/{id}/restore', { params: { path: { id } }, body }))
    })
    await refresh()
  }

  /** Moves them into a folder; the first refusal is thrown when all were tried. */
  async function move(nodes: readonly Node[], parent: string) {
    await all(nodes, ({ id }) =>
      ask(api.PATCH('/api/v1/nodes/{id}', { params: { path: { id } }, body: { parent } })),
    )
    notices.say(t('drive.moved', { count: nodes.length }, nodes.length))
  }

  /** Copies them into a folder, under other names where theirs are taken. */
  async function copy(nodes: readonly Node[], parent: string) {
    await all(nodes, (node) => copyOne(node, parent))
    notices.say(t('drive.copied', { count: nodes.length }, nodes.length))
  }

  async function all(nodes: readonly Node[], action: (node: Node) => Promise<unknown>) {
    const refusals: unknown[] = []
    await forEach(nodes, async (node) => {
      await action(node).catch((thrown) => refusals.push(thrown))
    })
    await refresh()
    if (refusals.length > 0) throw refusals[0]
  }

  return { remove, move, copy }
}

async function copyOne(node: Node, parent: string): Promise<void> {
  const params = { path: { id: node.id } }
  for (let number = 1; ; number += 1) {
    const body = { parent, name: numbered(node.name, number) }
    try {
      await ask(api.POST('/api/v1/nodes/{id}/copy', { params, body }))
      return
    } catch (thrown) {
      if (Problem.from(thrown).status !== 409 || number >= NAMES) throw thrown
    }
  }
}

/** `a.txt`, then `a (2).txt`, `a (3).txt`. */
export function numbered(name: string, number: number): string {
  if (number === 1) return name
  const dot = name.lastIndexOf('.')
  const stem = dot > 0 ? name.slice(0, dot) : name
  return `${stem} (${number})${dot > 0 ? name.slice(dot) : ''}`
}

async function forEach<T>(items: readonly T[], action: (item: T) => Promise<void>): Promise<void> {
  const left = [...items]
  const worker = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await action(item)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
}
