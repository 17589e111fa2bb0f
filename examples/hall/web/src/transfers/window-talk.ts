/** So long is waited for another window to say that it holds something. */
const ANSWER_MS = 400
/** So long one that is busy may take to say so all the same, and is heard. */
const LATE_MS = 10_000
/** So often is looked whether a window is gone that could not say so. */
const LOOK_MS = 5000

type Message =
  | { kind: 'ask'; from: string; question: number; id?: string; wants: boolean }
  | { kind: 'have'; to: string; question: number; ids: string[] }
  | { kind: 'freed' }

/**
 * Windows of one browser that agree on who holds what, where there are no locks. Whoever wants something asks the
 * others; a window that is gone or frozen does not answer and holds nothing. Of two that ask at once one gives way.
 */
export class WindowTalk {
  private readonly me = `${Math.random()}`.slice(2)
  private readonly channel: BroadcastChannel
  private questions = 0
  private readonly holding = new Set<string>()
  /** What is asked for; false where this window has given way to another that asks too. */
  private readonly wanting = new Map<string, boolean>()
  private readonly hearing = new Set<(message: Message) => void>()

  /** Called `late` when something turns out to be held that was thought to be free. */
  constructor(
    name: string,
    private readonly late: () => void = () => {},
  ) {
    this.channel = new BroadcastChannel(name)
    this.channel.onmessage = ({ data }: MessageEvent<Message>) => {
      if (data.kind === 'ask') this.answer(data)
      for (const hear of this.hearing) hear(data)
    }
    window.addEventListener('pagehide', () => {
      this.holding.clear()
      this.tell({ kind: 'freed' })
    })
  }

  /** As locks do: gives back how to let go, or nothing where another window has it. */
  async hold(id: string): Promise<(() => void) | undefined> {
    if (this.holding.has(id) || this.wanting.has(id)) return undefined
    this.wanting.set(id, true)
    const others = await this.ask(id, true)
    const mayHave = this.wanting.get(id) && !others.has(id)
    this.wanting.delete(id)
    if (!mayHave) return undefined
    this.holding.add(id)
    return () => {
      if (this.holding.delete(id)) this.tell({ kind: 'freed' })
    }
  }

  /** What other windows hold; asked for one thing, only whether they hold that. */
  held(id?: string): Promise<Set<string>> {
    return this.ask(id, false)
  }

  private ask(id: string | undefined, wants: boolean): Promise<Set<string>> {
    const found = new Set<string>()
    const question = this.questions++
    return new Promise((resolve) => {
      let isOver = false
      const hear = (message: Message) => {
        if (message.kind !== 'have' || message.to !== this.me || message.question !== question) return
        if (isOver && message.ids.some((held) => !found.has(held))) this.late()
        message.ids.forEach((held) => found.add(held))
        if (id !== undefined && found.has(id)) end()
      }
      const end = () => {
        isOver = true
        resolve(new Set(found))
      }
      window.setTimeout(end, ANSWER_MS)
      window.setTimeout(() => this.hearing.delete(hear), LATE_MS)
      this.hearing.add(hear)
      this.tell({ kind: 'ask', from: this.me, question, id, wants })
    })
  }

  /** Waits until no other window has it. */
  async whenFree(id: string): Promise<void> {
    while ((await this.held(id)).has(id)) await this.somethingFreed()
  }

  private somethingFreed(): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        this.hearing.delete(hear)
        window.clearTimeout(timer)
        resolve()
      }
      const hear = (message: Message) => {
        if (message.kind === 'freed') end()
      }
      const timer = window.setTimeout(end, LOOK_MS)
      this.hearing.add(hear)
    })
  }

  private answer({ from, question, id, wants }: Message & { kind: 'ask' }): void {
    if (id !== undefined && wants && this.wanting.has(id) && from < this.me) this.wanting.set(id, false)
    const mine = [...this.holding, ...[...this.wanting].flatMap(([wanted, still]) => (still ? [wanted] : []))]
    const ids = id === undefined ? mine : mine.filter((held) => held === id)
    if (ids.length > 0) this.tell({ kind: 'have', to: from, question, ids })
  }

  private tell(message: Message): void {
    this.channel.postMessage(message)
  }
}
