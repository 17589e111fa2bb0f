import type { Browser, BrowserContextOptions } from 'playwright-core'
import { test as base } from 'vitest'

import { launch, Person } from './browser'
import { Hall } from './hall'

interface Fixtures {
  /** A hall of this test's own. */
  hall: Hall
  browser: Browser
  /** Somebody with a browser of their own at the hall; looked after until the test ends. */
  arrive: (options?: BrowserContextOptions) => Promise<Person>
}

/* Vitest reads the names of the fixtures from the braces. */
export const test = base.extend<Fixtures>({
  hall: async ({}, use) => {
    const hall = await Hall.start()
    await use(hall)
    await hall.remove()
  },
  browser: async ({}, use) => {
    const browser = await launch()
    await use(browser)
    await browser.close()
  },
  arrive: async ({ hall, browser }, use) => {
    const people: Person[] = []
    await use(async (options) => {
      const person = await Person.arrive(browser, hall.base, options)
      people.push(person)
      return person
    })
    for (const person of people) await person.leave()
  },
})

export { expect } from 'vitest'
export { PASSWORD } from './hall'
export { PHONE, WIDE, type Person } from './browser'
