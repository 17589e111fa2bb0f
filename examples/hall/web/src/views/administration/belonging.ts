/** Somebody or something that belongs, or could. */
export interface Belonging {
  id: string
  name: string
  /** What tells it from others of a like name. */
  note?: string
}

export interface Belongings {
  items: Belonging[]
  next?: string | null
}

/** Who or what belongs to one side of a membership, and how that is changed. */
export interface Membership {
  read: (after?: string) => Promise<Belongings>
  /** Candidates whose name has this text in it. */
  find: (text: string) => Promise<Belongings>
  add: (id: string) => Promise<unknown>
  remove: (id: string) => Promise<unknown>
}
