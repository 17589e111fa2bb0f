import { defineStore } from 'pinia'
import { Upload } from 'tus-js-client'
import { computed, reactive, shallowReactive, shallowRef, watch } from 'vue'

import { api, sessionEnded } from '@/api/client'
import { Problem } from '@/api/problem'
import { address } from '@/hall'
import { hold, onceFree, onFoundHeld } from '@/transfers/hold'
import { Ledger } from '@/transfers/ledger'
import { fingerprint, journey, type OnConflict, type Picked } from '@/transfers/picked'
import { isPassing, keepUpload, problemOf, RETRY_DELAYS_MS } from '@/transfers/retries'
import { inSlices } from '@/transfers/slices'
import { Speedometer } from '@/transfers/speedometer'
import type { Transfer } from '@/transfers/transfer'
import { mismatch, unfinishedUploads, uploadId, type Unfinished } from '@/transfers/unfinished'

import { useSession } from './session'

/** What people say shall happen where a name is taken. */
export type Settlement = 'rename' | 'version' | 'skip'

/** What belongs to a transfer and is not shown. */
interface Work {
  file?: File
  path?: string
  onConflict: OnConflict
  /** What was said for all that were picked together. */
  batch?: { settled?: Settlement }
  tus?: Upload
  speedometer: Speedometer
  /** The upload of the hall that it goes on with, or is. */
  unfinished?: Unfinished
  uploadId?: string
  release?: () => void
}

/** How many files go at once; more would only share the same line. */
const AT_ONCE = 3
/** Small files wait for answers more than for the line: more of them go at once. */
const SMALL_AT_ONCE = 5
const SMALL_BYTES = 1024 * 1024

/** Whoever is locked in mid-upload is refused as if the folder were not theirs; they are to sign in again. */
async function sayWhetherSignedIn(transfer: Transfer) {
  await api.GET('/api/v1/me').catch((thrown) => {
    if (Problem.from(thrown).status === 401) transfer.problem = Problem.from(thrown)
  })
}

/** Uploads of this window, and what earlier ones left. They go on while people look at other parts of the page. */
export const useTransfers = defineStore('transfers', () => {
  const ledger = new Ledger()
  /** Those whose names are taken. */
  const taken = shallowReactive(new Set<Transfer>())
  /** Those that somebody wants to go on: they go before what only waits. */
  const urgent = new Set<Transfer>()
  /** The latest that arrived: folders that show its parent look again. */
  const landed = shallowRef<Transfer>()
  const works = new Map<number, Work>()
  const session = useSession()
  let last = 0

  const transfers = ledger.list
  const active = computed(() => ledger.count('running', 'waiting'))
  const failed = computed(() => ledger.count('failed'))
  const unfinished = computed(() => ledger.count('unfinished', 'elsewhere'))
  const conflicts = computed(() => taken.size)

  function make(facts: Omit<Transfer, 'id' | 'speed'>, work: Omit<Work, 'speedometer'>): Transfer {
    const id = ++last
    works.set(id, { ...work, speedometer: new Speedometer() })
    return reactive({ ...facts, id, speed: 0 })
  }

  /** Takes what was picked, some at a time: a browser looks at each file when it is asked for its size. */
  async function add(picked: readonly Picked[], parent: string) {
    const batch = {}
    for await (const some of inSlices(picked)) addSome(some, parent, batch)
  }

  function addSome(picked: readonly Picked[], parent: string, batch: Work['batch']) {
    const begun = begunHere()
    const fresh: Transfer[] = []
    for (const { file, path } of picked) {
      const key = journey({ file, path }, parent)
      const earlier = begun.get(key)
      begun.delete(key)
      if (earlier) goOnWith(earlier, file)
      else {
        forgetEmpty(file)
        const facts = { name: path ?? file.name, parent, size: file.size, sent: 0, state: 'waiting' as const }
        fresh.push(make(facts, { file, path, onConflict: 'fail', batch }))
      }
    }
    ledger.add(fresh)
    startWaiting()
  }

  /** What this browser began and only waits for its file, by the file's journey. */
  function begunHere(): Map<string, Transfer> {
    const begun = new Map<string, Transfer>()
    for (const transfer of ledger.in('unfinished')) {
      const known = works.get(transfer.id)?.unfinished?.remembered?.known
      if (known) begun.set(known.journey, transfer)
    }
    return begun
  }

  /**
   * Gives up what was begun for such a file and got no byte: its answer was lost with the window, so that nobody knows
   * how to go on, and the file is sent anew.
   */
  function forgetEmpty(file: File) {
    for (const transfer of ledger.in('unfinished')) {
      const upload = works.get(transfer.id)?.unfinished
      if (upload?.remembered || upload?.sent !== 0) continue
      if (upload.name === file.name && upload.size === file.size) {
        cancel(transfer)
        return
      }
    }
  }

  /** Goes on with what an earlier window began, when `file` can be what it sent. */
  function goOnWith(transfer: Transfer, file: File) {
    const work = works.get(transfer.id)
    if (!work?.unfinished || transfer.state !== 'unfinished') return
    transfer.mismatch = mismatch(work.unfinished, file)
    if (transfer.mismatch) return
    work.file = file
    resume(transfer)
  }

  function* nextUp() {
    yield* urgent
    yield* ledger.in('waiting')
  }

  function startWaiting() {
    for (const transfer of nextUp()) {
      const atOnce = transfer.size > SMALL_BYTES ? AT_ONCE : SMALL_AT_ONCE
      if (ledger.count('running') >= atOnce) return
      urgent.delete(transfer)
      if (transfer.state === 'waiting') start(transfer)
    }
  }

  function become(transfer: Transfer, state: Transfer['state']) {
    Object.assign(transfer, { speed: 0, stalled: false })
    ledger.move(transfer, state)
  }

  async function start(transfer: Transfer) {
    const work = works.get(transfer.id)
    if (!work?.file) return
    become(transfer, 'running')
    Object.assign(transfer, { problem: undefined, taken: false })
    taken.delete(transfer)
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
        become(transfer, 'elsewhere')
        onceFree(id, restore)
        startWaiting()
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
    const { path, onConflict } = work
    const tus = new Upload(file, {
      endpoint: address('api/v1/uploads'),
      retryDelays: RETRY_DELAYS_MS,
      metadata: metadata(work, file, transfer.parent),
      fingerprint: () => Promise.resolve(fingerprint({ file, path }, transfer.parent, onConflict)),
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
        // It may have arrived meanwhile.
        if (!works.has(transfer.id)) work.release?.()
      },
      onProgress(bytes) {
        transfer.sent = bytes
        transfer.stalled = false
        transfer.speed = work.speedometer.speed(bytes, performance.now())
      },
      onSuccess({ lastResponse }) {
        Object.assign(transfer, { sent: transfer.size, node: lastResponse.getHeader('CampusDisk-Node') })
        end(transfer)
        landed.value = { ...transfer }
      },
      onError(error) {
        const problem = problemOf(error)
        become(transfer, 'failed')
        transfer.problem = problem
        if (problem.kind === 'exists') askWhatToDo(transfer, work)
        if (problem.status === 401) sessionEnded()
        if (problem.status === 403) sayWhetherSignedIn(transfer)
        startWaiting()
      },
    })
    return tus
  }

  /** Nothing more is to be done for it. */
  function end(transfer: Transfer) {
    works.get(transfer.id)?.release?.()
    works.delete(transfer.id)
    become(transfer, 'done')
    startWaiting()
  }

  function askWhatToDo(transfer: Transfer, { batch }: Work) {
    if (batch?.settled) settle(transfer, batch.settled)
    else {
      transfer.taken = true
      taken.add(transfer)
    }
  }

  async function pause(transfer: Transfer) {
    become(transfer, 'paused')
    await works.get(transfer.id)?.tus?.abort()
    startWaiting()
  }

  /** Goes on after a pause or a failure. */
  function resume(transfer: Transfer) {
    become(transfer, 'waiting')
    urgent.add(transfer)
    startWaiting()
  }

  /** Says what shall happen with a file whose name is taken, and sends it again where it shall be sent. */
  function settle(transfer: Transfer, settlement: Settlement) {
    const work = works.get(transfer.id)
    if (!work?.file) return
    giveUp({ ...work })
    taken.delete(transfer)
    Object.assign(transfer, { taken: false, problem: undefined, sent: 0 })
    Object.assign(work, { tus: undefined, unfinished: undefined, uploadId: undefined, release: undefined })
    if (settlement === 'skip') {
      transfer.skipped = true
      end(transfer)
      return
    }
    work.onConflict = settlement
    resume(transfer)
  }

  /** Settles all whose names are taken, some at a time, and those that follow of what was picked with them. */
  async function settleAll(settlement: Settlement) {
    const all = [...taken]
    for (const { id } of all) {
      const batch = works.get(id)?.batch
      if (batch) batch.settled = settlement
    }
    for await (const some of inSlices(all)) {
      // One of them may have been settled or cancelled by itself meanwhile.
      for (const transfer of some) if (taken.has(transfer)) settle(transfer, settlement)
    }
  }

  /** Gives it up, on the hall too. */
  async function cancel(transfer: Transfer) {
    const work = works.get(transfer.id)
    works.delete(transfer.id)
    urgent.delete(transfer)
    taken.delete(transfer)
    ledger.remove(new Set([transfer]))
    startWaiting()
    if (work) await giveUp(work)
  }

  /** What stays behind is cleared by the hall in a while. */
  async function giveUp({ tus, unfinished, release }: Work) {
    if (tus) await tus.abort(true).catch(() => {})
    else if (unfinished) await Upload.terminate(unfinished.url).catch(() => {})
    release?.()
  }

  function clearDone() {
    ledger.remove(new Set(ledger.in('done')))
  }

  /** Shows what earlier windows and other devices began and did not end. */
  async function restore() {
    const list = await unfinishedUploads().catch(() => undefined)
    // Without an answer what is shown stays; it is asked for again at the next occasion.
    if (!list) return
    const known = new Map<string | undefined, Transfer>()
    for (const transfer of [...ledger.in('unfinished'), ...ledger.in('elsewhere')]) {
      known.set(works.get(transfer.id)?.unfinished?.id, transfer)
    }
    const ours = new Set([...works.values()].map(({ uploadId }) => uploadId))
    const left = list.filter(({ id }) => !ours.has(id))
    const fresh = left.filter(({ id }) => !known.has(id)).map((upload) => show(upload))
    const gone = new Set(known.values())
    for (const upload of left) {
      const transfer = known.get(upload.id)
      if (transfer) showAgain(transfer, upload)
      if (transfer) gone.delete(transfer)
    }
    for (const { id } of gone) works.delete(id)
    ledger.remove(gone)
    ledger.add(fresh)
  }

  function show(upload: Unfinished): Transfer {
    const { name, parent, size, sent, begun, remembered } = upload
    const state = upload.elsewhere ? 'elsewhere' : 'unfinished'
    if (upload.elsewhere) onceFree(upload.id, restore)
    const { path, onConflict = 'fail' } = remembered?.known ?? {}
    const facts = { name: path ?? name, parent, size, sent, begun, state } as const
    return make(facts, { unfinished: upload, path, onConflict })
  }

  function showAgain(transfer: Transfer, upload: Unfinished) {
    transfer.sent = upload.sent
    ledger.move(transfer, upload.elsewhere ? 'elsewhere' : 'unfinished')
    // Also where it was so before: what was thought to be free can be held after all, by a window that was slow to say so.
    if (upload.elsewhere) onceFree(upload.id, restore)
  }

  /** Takes up what only waited for `cause` to pass. */
  function takeUp(cause: (problem: Problem) => boolean) {
    for (const transfer of [...ledger.in('failed')]) {
      if (transfer.problem && cause(transfer.problem)) resume(transfer)
    }
  }

  onFoundHeld(restore)
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
    failed,
    unfinished,
    conflicts,
    /** All where they are few; else as many of those that matter most. */
    first: (limit: number) => ledger.first(limit),
    add,
    goOnWith,
    pause,
    resume,
    settle,
    settleAll,
    cancel,
    clearDone,
    restore,
  }
})

function metadata({ path, onConflict }: Work, file: File, parent: string): Record<string, string> {
  const about = { filename: file.name, filetype: file.type, parent, on_conflict: onConflict }
  return path ? { ...about, relativePath: path } : about
}
