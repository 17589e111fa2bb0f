import type { Page } from 'playwright-core'

/** What has the focus: how it is called, and whether that can be seen. */
interface Focus {
  name: string
  isVisible: boolean
}

/** A person without a pointer. Wherever they come by, the focus must be seen. */
export class Keys {
  constructor(private readonly page: Page) {}

  press(key: string): Promise<void> {
    return this.page.keyboard.press(key)
  }

  type(text: string): Promise<void> {
    return this.page.keyboard.type(text)
  }

  /** Goes on, or back, from control to control until one is called so. */
  async to(name: string | RegExp, { back = false, most = 60 } = {}): Promise<void> {
    const passed: string[] = []
    for (let count = 0; count < most; count += 1) {
      await this.press(back ? 'Shift+Tab' : 'Tab')
      const focus = await this.focus()
      passed.push(focus.name)
      if (!focus.isVisible) throw new Error(`nobody sees that “${focus.name}” has the focus`)
      if (isCalled(focus.name, name)) return
    }
    throw new Error(`no way leads to ${name}, only to ${passed.join(' · ')}`)
  }

  async enter(name: string | RegExp, way: { back?: boolean; most?: number } = {}): Promise<void> {
    await this.to(name, way)
    await this.press('Enter')
  }

  /** Waits until the focus is where it belongs. */
  async at(name: string | RegExp): Promise<void> {
    const until = Date.now() + 10_000
    for (;;) {
      const focus = await this.focus()
      if (isCalled(focus.name, name)) return
      if (Date.now() > until) throw new Error(`the focus is at “${focus.name}”, not at ${name}`)
      await this.page.evaluate(() => new Promise(requestAnimationFrame))
    }
  }

  private focus(): Promise<Focus> {
    return this.page.evaluate(() => {
      const element = document.activeElement as HTMLElement
      const { labels } = element as HTMLInputElement
      const words = element.getAttribute('aria-label') ?? labels?.[0]?.textContent ?? element.textContent
      const isMarked = (place: Element | null) => {
        const { outlineStyle, boxShadow } = place ? getComputedStyle(place) : getComputedStyle(element)
        return outlineStyle !== 'none' || boxShadow !== 'none'
      }
      const isVisible = isMarked(element) || isMarked(element.parentElement) || element === document.body
      return { name: (words ?? '').trim().replace(/\s+/g, ' ').slice(0, 120), isVisible }
    })
  }
}

function isCalled(focused: string, name: string | RegExp): boolean {
  return typeof name === 'string' ? focused === name : name.test(focused)
}
