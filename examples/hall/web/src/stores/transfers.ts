import { defineStore } from 'pinia'
import { Upload } from 'tus-js-client'
import { computed, ref, shallowRef, watch } from 'vue'

import { api, sessionEnded } from '@/api/client'
import { Problem } from '@/api/problem'
import { address } from '@/hall'
import { isPassing, keepUpload, problemOf, RETRY_DELAYS_MS } from '@/transfers/retries'
import { Speedometer } from '@/transfers/speedometer'
import {
  hold,
  mismatch,
  unfinishedUploads,
  uploadId,
  whenFree,
  type Unfinished,
} from '@/transfers/unfinished'

import { useSession } from './session'

export interface Transfer {
  id: number
  name: string
  /** The folder it goes to. */
  parent: string
  size: number
  sent: number
  /** `unfinished` waits for its file to be chosen again; `elsewhere` is another window's. */
  state: 'waiting' | 'running' | 'paused' | 'failed' | 'done' | 'unfinished' | 'elsewhere'
  /** Bytes in a second, over the last seconds. */
  speed: number
  /** Whether the connection is lost and will be tried again by itself. */
  stalled?: boolean
  problem?: Problem
  /** Why the file that was chosen can't go on with what was begun. */
  mismatch?: 'otherFile' | 'fileChanged'
  /** When it was begun, where that was not in this window. */
  begun?: string
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

/** What belongs to a transfer and is not shown. */
interface Work {
  file?: File
  path?: string
  onConflict: OnConflict
  tus?: Upload
  speedometer: Speedometer
  /** The upload of the hall that it goes on with, or is. */
  unfinished?: Unfinished
  uploadId?: string
  release?: () => void
}

/** How many files go at once; more would only share the same line. */
const AT_ONCE = 3

/** Whoever is locked in mid-upload is refused as if the folder were not theirs; they are to sign in again. */
async function sayWhetherSignedIn(transfer: Transfer) {
  await api.GET('/api/v1/me').catch((thrown) => {
    if (Problem.from(thrown).status === 401) transfer.problem = Problem.from(thrown)
  })
}

/** Uploads of this window, and what earlier ones left. They go on while people look at other parts of the page. */
export const useTransfers = defineStore('transfers', () => {
  const transfers = ref<Transfer[]>([])
  /** The latest that arrived: folders that show its parent look again. */
  const landed = shallowRef<Transfer>()
  const works = new Map<number, Work>()
  const session = useSession()
  let last = 0

  const active = computed(() =>
    transfers.value.filter(({ state }) => state === 'running' || state === 'waiting'),
  )
  const sent = computed(() => active.value.reduce((sum, transfer) => sum + transfer.sent, 0))
  const size = computed(() => active.value.reduce((sum, transfer) => sum + transfer.size, 0))

  const conflicts = computed(() => transfers.value.filter(({ taken }) => taken))

  function put(transfer: Omit<Transfer, 'id' | 'speed'>, work: Omit<Work, 'speedometer'>) {
    const id = ++last
    works.set(id, { ...work, speedometer: new Speedometer() })
    transfers.value.push({ ...transfer, id, speed: 0 })
  }

  function add(picked: Iterable<Picked>, parent: string) {
    for (const { file, path } of picked) {
      const work = { file, path, onConflict: 'fail' as const }
      const begun = transfers.value.find(({ id, state }) => {
        const known = works.get(id)?.unfinished?.remembered?.fingerprint
        return state === 'unfinished' && known === fingerprint(work, file, parent)
      })
      if (begun) goOnWith(begun, file)
      else put({ name: path ?? file.name, parent, size: file.size, sent: 0, state: 'waiting' }, work)
    }
    startWaiting()
  }

  /** Goes on with what an earlier window began, when `file` can be what it sent. */
  function goOnWith(transfer: Transfer, file: File) {
    const work = works.get(transfer.id)
    if (!work?.unfinished || transfer.state !== 'unfinished') return
    transfer.mismatch = mismatch(work.unfinished, file)
    if (transfer.mismatch) return
    work.file = file
    transfer.state = 'waiting'
    startWaiting()
  }

  function startWaiting() {
    const running = transfers.value.filter(({ state }) => state === 'running').length
    const waiting = transfers.value.filter(({ state }) => state === 'waiting')
    for (const transfer of waiting.slice(0, Math.max(0, AT_ONCE - running))) start(transfer)
  }

  async function start(transfer: Transfer) {
    const work = works.get(transfer.id)
    if (!work?.file) return
    Object.assign(transfer, { state: 'running', problem: undefined, taken: false, stalled: false })
    work.speedometer = new Speedometer()
    if (!work.tus) {
      work.tus = uploadOf(transfer, work, work.file)
      if (!(await take(transfer, work, work.tus))) return
    }
    if (transfer.state === 'running') work.tus.start()
  }

  /** Takes what an earlier window began, where there is any. Not done where another window has just taken it. */
  async function take(transfer: Transfer, work: Work, tus: Upload): Promise<boolean> {
    if (work.unfinished) {
      const { id, url, remembered } = work.unfinished
      work.release = await hold(id)
      if (!work.release) {
        work.tus = undefined
        transfer.state = 'elsewhere'
        whenFree(id).then(restore)
        return false
      }
      work.uploadId = id
      tus.resumeFromPreviousUpload({
        uploadUrl: url,
        urlStorageKey: remembered?.key ?? '',
        size: transfer.size,
        metadata: {},
        creationTime: '',
        parallelUploadUrls: null,
      })
      return true
    }
    for (const previous of await tus.findPreviousUploads()) {
      const id = uploadId(previous.uploadUrl ?? address(''))
      work.release = await hold(id)
      if (!work.release) continue
      work.uploadId = id
      tus.resumeFromPreviousUpload(previous)
      break
    }
    return true
  }

  function uploadOf(transfer: Transfer, work: Work, file: File): Upload {
    const tus = new Upload(file, {
      endpoint: address('api/v1/uploads'),
      retryDelays: RETRY_DELAYS_MS,
      metadata: metadata(work, file, transfer.parent),
      fingerprint: () => Promise.resolve(fingerprint(work, file, transfer.parent)),
      removeFingerprintOnSuccess: true,
      onAfterResponse: keepUpload,
      onShouldRetry(error) {
        const passes = isPassing(problemOf(error))
        Object.assign(transfer, { stalled: passes, speed: 0 })
        return passes
      },
      async onUploadUrlAvailable() {
        const id = uploadId(tus.url ?? address(''))
        if (id === work.uploadId) return
        // What was begun before is gone: this is another upload.
        work.release?.()
        work.uploadId = id
        work.release = await hold(id)
      },
      onProgress(bytes) {
        transfer.sent = bytes
        transfer.stalled = false
        transfer.speed = work.speedometer.speed(bytes, performance.now())
      },
      onSuccess({ lastResponse }) {
        Object.assign(transfer, { state: 'done', sent: transfer.size, speed: 0, stalled: false })
        transfer.node = lastResponse.getHeader('CampusDisk-Node')
        work.release?.()
        works.delete(transfer.id)
        landed.value = { ...transfer }
        startWaiting()
      },
      onError(error) {
        const problem = problemOf(error)
        const taken = problem.kind === 'exists'
        Object.assign(transfer, { state: 'failed', speed: 0, stalled: false, problem, taken })
        if (problem.status === 401) sessionEnded()
        if (problem.status === 403) sayWhetherSignedIn(transfer)
        startWaiting()
      },
    })
    return tus
  }

  async function pause(transfer: Transfer) {
    Object.assign(transfer, { state: 'paused', speed: 0, stalled: false })
    await works.get(transfer.id)?.tus?.abort()
    startWaiting()
  }

  /** Goes on after a pause or a failure. */
  function resume(transfer: Transfer) {
    transfer.state = 'waiting'
    startWaiting()
  }

  /** Says what shall happen with a file whose name is taken, and sends it again. */
  function settle(transfer: Transfer, onConflict: OnConflict) {
    const work = works.get(transfer.id)
    if (!work) return
    work.release?.()
    Object.assign(work, { onConflict, tus: undefined, unfinished: undefined, uploadId: undefined })
    resume(transfer)
  }

  /** Gives it up, on the hall too. */
  async function cancel(transfer: Transfer) {
    const work = works.get(transfer.id)
    works.delete(transfer.id)
    transfers.value = transfers.value.filter(({ id }) => id !== transfer.id)
    startWaiting()
    // What stays behind is cleared by the hall in a while.
    if (work?.tus) await work.tus.abort(true).catch(() => {})
    else if (work?.unfinished) await Upload.terminate(work.unfinished.url).catch(() => {})
    work?.release?.()
  }

  function clearDone() {
    transfers.value = transfers.value.filter(({ state }) => state !== 'done')
  }

  /** Shows what earlier windows and other devices began and did not end. */
  async function restore() {
    const list = await unfinishedUploads().catch(() => undefined)
    // Without an answer what is shown stays; it is asked for again at the next occasion.
    if (!list) return
    const isLeft = ({ id, state }: Transfer) => {
      const unfinished = works.get(id)?.unfinished
      return (
        (state !== 'unfinished' && state !== 'elsewhere') ||
        list.some((upload) => upload.id === unfinished?.id)
      )
    }
    transfers.value = transfers.value.filter(isLeft)
    for (const upload of list) show(upload)
  }

  function show(upload: Unfinished) {
    const state = upload.elsewhere ? 'elsewhere' : 'unfinished'
    const { name, parent, size, sent, begun } = upload
    const known = transfers.value.find(({ id }) => works.get(id)?.unfinished?.id === upload.id)
    const isOurs = [...works.values()].some(({ uploadId }) => uploadId === upload.id)
    if (isOurs) return
    if (!known) put({ name, parent, size, sent, begun, state }, { unfinished: upload, onConflict: 'fail' })
    else if (known.state === 'unfinished' || known.state === 'elsewhere')
      Object.assign(known, { sent, state })
    if (upload.elsewhere && known?.state !== 'elsewhere') whenFree(upload.id).then(restore)
  }

  /** Takes up what only waited for `cause` to pass. */
  function takeUp(cause: (problem: Problem) => boolean) {
    for (const transfer of transfers.value) {
      if (transfer.state === 'failed' && transfer.problem && cause(transfer.problem)) resume(transfer)
    }
  }

  window.addEventListener('online', () => takeUp(({ kind }) => kind === 'unreachable'))
  watch(
    () => session.account?.id,
    (account) => {
      if (!account) return
      takeUp(({ status }) => status === 401)
      restore()
    },
    { immediate: true },
  )

  return {
    transfers,
    landed,
    active,
    sent,
    size,
    conflicts,
    add,
    goOnWith,
    pause,
    resume,
    settle,
    cancel,
    clearDone,
    restore,
  }
})

function metadata({ path, onConflict }: Work, file: File, parent: string): Record<string, string> {
  const about = { filename: file.name, filetype: file.type, parent, on_conflict: onConflict }
  return path ? { ...about, relativePath: path } : about
}

/** The same file on its way to the same place. */
function fingerprint(
  { path, onConflict }: Pick<Work, 'path' | 'onConflict'>,
  file: File,
  parent: string,
): string {
  const place = [parent, path ?? file.name, onConflict]
  return ['campusdisk', ...place, file.size, file.lastModified].join('|')
}
