import { defineStore } from 'pinia'
import { DetailedError, Upload } from 'tus-js-client'
import { computed, ref, shallowRef } from 'vue'

import { sessionEnded } from '@/api/client'
import { Problem } from '@/api/problem'
import { address } from '@/hall'

export interface Transfer {
  id: number
  name: string
  /** The folder it goes to. */
  parent: string
  size: number
  sent: number
  state: 'waiting' | 'running' | 'paused' | 'failed' | 'done'
  /** Bytes in a second, over the last seconds. */
  speed: number
  problem?: Problem
  /** Its name there is taken, and nobody has said what shall happen. */
  taken?: boolean
  /** The node it became. */
  node?: string
}

/** What happens when the name is taken where a file arrives. */
export type OnConflict = 'fail' | 'rename' | 'version'

/** A file that was picked, with its path below the folder that was picked with it, such as `photos/a.jpg`. */
export interface Picked {
  file: File
  path?: string
}

/** How many files go at once; more would only share the same line. */
const AT_ONCE = 3

/** A lost connection is tried again after these pauses, then it is left to the person. */
export const RETRY_DELAYS_MS = [0, 1000, 3000, 5000, 10_000, 20_000]

/** Uploads of this window. They go on while people look at other parts of the page. */
export const useTransfers = defineStore('transfers', () => {
  const transfers = ref<Transfer[]>([])
  /** The latest that arrived: folders that show its parent look again. */
  const landed = shallowRef<Transfer>()
  const uploads = new Map<number, Running>()
  let last = 0

  const active = computed(() =>
    transfers.value.filter(({ state }) => state === 'running' || state === 'waiting'),
  )
  const sent = computed(() => active.value.reduce((sum, transfer) => sum + transfer.sent, 0))
  const size = computed(() => active.value.reduce((sum, transfer) => sum + transfer.size, 0))

  const conflicts = computed(() => transfers.value.filter(({ taken }) => taken))

  function add(picked: Iterable<Picked>, parent: string) {
    for (const { file, path } of picked) {
      const id = ++last
      uploads.set(id, { file, path, onConflict: 'fail', speedometer: new Speedometer() })
      transfers.value.push({
        id,
        name: path ?? file.name,
        parent,
        size: file.size,
        sent: 0,
        state: 'waiting',
        speed: 0,
      })
    }
    startWaiting()
  }

  function startWaiting() {
    const running = transfers.value.filter(({ state }) => state === 'running').length
    const waiting = transfers.value.filter(({ state }) => state === 'waiting')
    for (const transfer of waiting.slice(0, Math.max(0, AT_ONCE - running))) start(transfer)
  }

  function start(transfer: Transfer) {
    const upload = uploads.get(transfer.id)
    if (!upload) return
    transfer.state = 'running'
    transfer.problem = undefined
    transfer.taken = false
    upload.speedometer = new Speedometer()
    if (upload.tus) {
      upload.tus.start()
      return
    }
    const tus = new Upload(upload.file, {
      endpoint: address('api/v1/uploads'),
      retryDelays: RETRY_DELAYS_MS,
      metadata: metadata(upload, transfer.parent),
      fingerprint: () => Promise.resolve(fingerprint(upload, transfer.parent)),
      onShouldRetry: mayPass,
      removeFingerprintOnSuccess: true,
      onProgress(bytes) {
        transfer.sent = bytes
        transfer.speed = upload.speedometer.speed(bytes, performance.now())
      },
      onSuccess({ lastResponse }) {
        Object.assign(transfer, { state: 'done', sent: transfer.size, speed: 0 })
        transfer.node = lastResponse.getHeader('CampusDisk-Node')
        uploads.delete(transfer.id)
        landed.value = { ...transfer }
        startWaiting()
      },
      onError(error) {
        const problem = problemOf(error)
        const taken = problem.kind === 'exists'
        Object.assign(transfer, { state: 'failed', speed: 0, problem, taken })
        if (problem.status === 401) sessionEnded()
        startWaiting()
      },
    })
    upload.tus = tus
    // What an earlier window began goes on where it stopped.
    tus.findPreviousUploads().then(([previous]) => {
      if (previous) tus.resumeFromPreviousUpload(previous)
      if (transfer.state === 'running') tus.start()
    })
  }

  async function pause(transfer: Transfer) {
    transfer.state = 'paused'
    transfer.speed = 0
    await uploads.get(transfer.id)?.tus?.abort()
    startWaiting()
  }

  /** Goes on after a pause or a failure. */
  function resume(transfer: Transfer) {
    transfer.state = 'waiting'
    startWaiting()
  }

  /** Says what shall happen with a file whose name is taken, and sends it again. */
  function settle(transfer: Transfer, onConflict: OnConflict) {
    const upload = uploads.get(transfer.id)
    if (!upload) return
    Object.assign(upload, { onConflict, tus: undefined })
    resume(transfer)
  }

  /** Gives it up, on the hall too. */
  async function cancel(transfer: Transfer) {
    const upload = uploads.get(transfer.id)
    uploads.delete(transfer.id)
    transfers.value = transfers.value.filter(({ id }) => id !== transfer.id)
    startWaiting()
    // What stays behind is cleared by the hall in a while.
    await upload?.tus?.abort(true).catch(() => {})
  }

  function clearDone() {
    transfers.value = transfers.value.filter(({ state }) => state !== 'done')
  }

  return { transfers, landed, active, sent, size, conflicts, add, pause, resume, settle, cancel, clearDone }
})

interface Running {
  file: File
  path: string | undefined
  onConflict: OnConflict
  tus?: Upload
  speedometer: Speedometer
}

function metadata({ file, path, onConflict }: Running, parent: string): Record<string, string> {
  const about = { filename: file.name, filetype: file.type, parent, on_conflict: onConflict }
  return path ? { ...about, relativePath: path } : about
}

/** The same file on its way to the same place. */
function fingerprint({ file, path, onConflict }: Running, parent: string): string {
  const place = [parent, path ?? file.name, onConflict]
  return ['campusdisk', ...place, file.size, file.lastModified].join('|')
}

/** Whether trying again may help: after a lost line or a busy server, not after a refusal. */
function mayPass(error: DetailedError): boolean {
  const status = error.originalResponse?.getStatus() ?? 0
  const refused = status >= 400 && status < 500 && status !== 409 && status !== 423
  return !refused && problemOf(error).kind !== 'exists'
}

/** Why an upload ended, as a problem. */
export function problemOf(error: Error | DetailedError): Problem {
  const response = error instanceof DetailedError ? error.originalResponse : null
  if (!response) return Problem.unreachable()
  try {
    return new Problem({ ...JSON.parse(response.getBody()), status: response.getStatus() })
  } catch {
    return new Problem({ status: response.getStatus() })
  }
}

/** How far back a speed is measured. */
const WINDOW_MS = 5000

/** Bytes in a second over the last few seconds. */
export class Speedometer {
  private readonly marks: { bytes: number; at: number }[] = []

  speed(bytes: number, atMs: number): number {
    this.marks.push({ bytes, at: atMs })
    const kept = this.marks.findIndex(({ at }) => atMs - at <= WINDOW_MS)
    this.marks.splice(0, Math.min(kept, this.marks.length - 2))
    const first = this.marks[0] ?? { bytes, at: atMs }
    return atMs > first.at ? ((bytes - first.bytes) * 1000) / (atMs - first.at) : 0
  }
}
