import { defaultOptions } from 'tus-js-client'

import { api, ask } from '@/api/client'
import { address } from '@/hall'

/** An upload that began in some window and has not ended. */
export interface Unfinished {
  id: string
  url: string
  name: string
  parent: string
  size: number
  sent: number
  begun: string
  /** What this browser knows of the file, where it began here. */
  remembered?: { key: string; fingerprint: string }
  /** Whether another window of this browser has it now. */
  elsewhere: boolean
}

const PAGE_ITEMS = 200

/** The caller's unfinished uploads, as the hall has them. */
export async function unfinishedUploads(): Promise<Unfinished[]> {
  const [held, remembered] = await Promise.all([heldUploads(), rememberedUploads()])
  const found: Unfinished[] = []
  let after: string | undefined
  do {
    const page = await ask(api.GET('/api/v1/uploads', { params: { query: { limit: PAGE_ITEMS, after } } }))
    for (const { id, url, name, parent, size, offset, created } of page.items) {
      // Parts of a joined upload have no name; whose length is open was not begun by a page.
      if (name == null || size == null) continue
      found.push({
        id,
        url: new URL(url, address('api/v1/uploads')).href,
        name,
        parent,
        size,
        sent: offset,
        begun: created,
        remembered: remembered.get(id),
        elsewhere: held.has(id),
      })
    }
    after = page.next ?? undefined
  } while (after)
  return found
}

/** Why a file can't be what was begun: it is another one, or has been changed since. */
export function mismatch(upload: Unfinished, file: File): 'otherFile' | 'fileChanged' | undefined {
  if (file.name !== upload.name) return 'otherFile'
  const known = upload.remembered?.fingerprint
  const isChanged = known !== undefined && !known.endsWith(`|${file.size}|${file.lastModified}`)
  return file.size !== upload.size || isChanged ? 'fileChanged' : undefined
}

/** The id in an upload's address. */
export function uploadId(url: string): string {
  return new URL(url).pathname.split('/').at(-1) ?? ''
}

/** What tus-js-client has stored in this browser, by upload. */
async function rememberedUploads(): Promise<Map<string, { key: string; fingerprint: string }>> {
  const stored = await defaultOptions.urlStorage.findAllUploads()
  return new Map(
    stored.flatMap(({ uploadUrl, urlStorageKey: key }) => {
      const [, known] = /^tus::(.*)::\d+$/s.exec(key) ?? []
      return uploadUrl && known ? [[uploadId(uploadUrl), { key, fingerprint: known }] as const] : []
    }),
  )
}

const LOCK = 'campusdisk.upload.'

/**
 * Takes an upload for this window, until what is given back is called or the window is closed; nothing where another
 * window has it. Two windows that send one upload would stop one another again and again.
 */
export function hold(id: string): Promise<(() => void) | undefined> {
  // Pages without https have no locks: there a window can't know of the others.
  if (!navigator.locks) return Promise.resolve(() => {})
  return new Promise((taken) => {
    navigator.locks.request(LOCK + id, { ifAvailable: true }, (lock) => {
      if (!lock) return taken(undefined)
      return new Promise<void>((release) => taken(release))
    })
  })
}

/** Waits until no window has an upload. */
export async function whenFree(id: string): Promise<void> {
  await navigator.locks?.request(LOCK + id, () => {})
}

async function heldUploads(): Promise<Set<string>> {
  const { held = [] } = (await navigator.locks?.query()) ?? {}
  return new Set(held.flatMap(({ name }) => (name?.startsWith(LOCK) ? [name.slice(LOCK.length)] : [])))
}
