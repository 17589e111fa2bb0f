import type { Problem } from '@/api/problem'

/** `unfinished` waits for its file to be chosen again; `elsewhere` is another window's. */
export type TransferState = 'waiting' | 'running' | 'paused' | 'failed' | 'done' | 'unfinished' | 'elsewhere'

/** An upload, as it is shown. */
export interface Transfer {
  id: number
  name: string
  /** The folder it goes to. */
  parent: string
  size: number
  sent: number
  state: TransferState
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
  /** What lies there under its name was left as it is. */
  skipped?: boolean
  /** The node it became. */
  node?: string
}
