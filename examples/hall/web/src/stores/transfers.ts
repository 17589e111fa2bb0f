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
  /** The node it became. */
  node?: string
}

/** How many files go at once; more would only share the same line. */
const AT_ONCE = 3

/** A lost connection is tried again after these pauses, then it is left to the person. */
const RETRY_DELAYS_MS = [0, 1000, 3000, 5000, 10_000, 20_000]

/** Uploads of this window. They go on while people look at other parts of the page. */
export const useTransfers = defineStore('transfers', () => {
  const transfers = ref<Transfer[]>([])
  /** The latest that arrived: folders that show its parent look again. */
  const landed = shallowRef<Transfer>()
  const uploads = new Map<number, { file: File; tus?: Upload; speedometer: Speedometer }>()
  let last = 0

  const active = computed(() =>
    transfers.value.filter(({ state }) => state === 'running' || state === 'waiting'),
  )
  const sent = computed(() => active.value.reduce((sum, transfer) => sum + transfer.sent, 0))
  const size = computed(() => active.value.reduce((sum, transfer) => sum + transfer.size, 0))

  function add(files: Iterable<File>, parent: string) {
    for (const file of files) {
      const id = ++last
      uploads.set(id, { file, speedometer: new Speedometer() })
      transfers.value.push({
        id,
        name: file.name,
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
    upload.speedometer = new Speedometer()
    if (upload.tus) {
      upload.tus.start()
      return
    }
    const tus = new Upload(upload.file, {
      endpoint: address('api/v1/uploads'),
      retryDelays: RETRY_DELAYS_MS,
      metadata: { filename: transfer.name, filetype: upload.file.type, parent: transfer.parent },
      fingerprint: (file) => Promise.resolve(fingerprint(file as File, transfer.parent)),
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
        Object.assign(transfer, { state: 'failed', speed: 0, problem })
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

  return { transfers, landed, active, sent, size, add, pause, resume, cancel, clearDone }
})

/** The same file on its way to the same folder. */
function fingerprint(file: File, parent: string): string {
  return ['campusdisk', parent, file.name, file.size, file.lastModified].join('|')
}

function problemOf(error: Error | DetailedError): Problem {
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
