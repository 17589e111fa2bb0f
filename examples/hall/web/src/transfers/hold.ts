import { WindowTalk } from './window-talk'

/**
 * Which window of this browser has an upload. Two windows that send one upload would stop one another again and again.
 */
const LOCK = 'campusdisk.upload.'

/** Pages without https have no locks: there the windows ask one another. */
const talk = navigator.locks ? undefined : new WindowTalk('campusdisk.uploads', () => foundHeld())

/** Called when another window turns out to have an upload that was thought to be free, as it was slow to say so. */
let foundHeld = () => {}

export function onFoundHeld(then: () => void): void {
  foundHeld = then
}

/**
 * Takes an upload for this window, until what is given back is called or the window is closed; nothing where another
 * window has it.
 */
export function hold(id: string): Promise<(() => void) | undefined> {
  if (talk) return talk.hold(id)
  return new Promise((taken) => {
    navigator.locks.request(LOCK + id, { ifAvailable: true }, (lock) => {
      if (!lock) return taken(undefined)
      return new Promise<void>((release) => taken(release))
    })
  })
}

/** What is waited for. */
const awaited = new Set<string>()

/** Calls back when no window has an upload; once, however often that is asked for meanwhile. */
export async function onceFree(id: string, then: () => void): Promise<void> {
  if (awaited.has(id)) return
  awaited.add(id)
  await whenFree(id)
  awaited.delete(id)
  then()
}

async function whenFree(id: string): Promise<void> {
  if (talk) await talk.whenFree(id)
  else await navigator.locks.request(LOCK + id, () => {})
}

/** The uploads that some window has. */
export async function heldUploads(): Promise<Set<string>> {
  if (talk) return talk.held()
  const { held = [] } = await navigator.locks.query()
  return new Set(held.flatMap(({ name }) => (name?.startsWith(LOCK) ? [name.slice(LOCK.length)] : [])))
}
