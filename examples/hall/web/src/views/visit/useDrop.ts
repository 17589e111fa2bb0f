import { Upload } from 'tus-js-client'
import { ref } from 'vue'

import type { Problem } from '@/api/problem'
import { address } from '@/hall'
import type { Picked } from '@/transfers/picked'
import { problemOf, RETRY_DELAYS_MS } from '@/transfers/retries'

export interface Dropped {
  id: number
  name: string
  size: number
  sent: number
  state: 'waiting' | 'running' | 'failed' | 'done'
  problem?: Problem
}

/** Files that a visitor hands in, one after the other: their order is kept, and each has the whole line. */
export function useDrop(token: string) {
  const dropped = ref<Dropped[]>([])
  const uploads = new Map<number, Upload>()

  function add(picked: Iterable<Picked>) {
    for (const { file } of picked) {
      const id = dropped.value.length
      dropped.value.push({ id, name: file.name, size: file.size, sent: 0, state: 'waiting' })
      const entry = dropped.value[id]
      if (entry) uploads.set(id, uploadOf(file, entry))
    }
    startNext()
  }

  function uploadOf(file: File, entry: Dropped): Upload {
    return new Upload(file, {
      endpoint: address(`s/${token}/uploads`),
      retryDelays: RETRY_DELAYS_MS,
      metadata: { filename: file.name, filetype: file.type },
      // Nothing is kept in the browser: it may not be the visitor's own.
      storeFingerprintForResuming: false,
      onProgress: (sent) => (entry.sent = sent),
      onSuccess() {
        Object.assign(entry, { state: 'done', sent: entry.size })
        uploads.delete(entry.id)
        startNext()
      },
      onError(error) {
        Object.assign(entry, { state: 'failed', problem: problemOf(error) })
        startNext()
      },
    })
  }

  function startNext() {
    if (dropped.value.some(({ state }) => state === 'running')) return
    const next = dropped.value.find(({ state }) => state === 'waiting')
    if (!next) return
    next.state = 'running'
    next.problem = undefined
    uploads.get(next.id)?.start()
  }

  function retry(entry: Dropped) {
    entry.state = 'waiting'
    startNext()
  }

  return { dropped, add, retry }
}
