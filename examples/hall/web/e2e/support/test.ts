import type { Browser, BrowserContextOptions } from 'playwright-core'
import { test as base } from 'vitest'

import { launch, Person } from './browser'
import { Hall } from './hall'

interface Fixtures {
  browser: Browser
  /** Starts a hall, with this configuration where one is given; it ends with the test. */
  startHall: (config?: string) => Promise<Hall>
  /** A hall of this test's own. */
  hall: Hall
  /** Somebody with a browser of their own at the hall that was started first; their console is watched to the end. */
  arrive: (options?: BrowserContextOptions) => Promise<Person>
}

/** What the two fixtures of a test share: people must have left before their hall ends, whatever they found. */
interface House {
  halls: Hall[]
  people: Person[]
}

// Vitest reads the names of the fixtures from the braces.
export const test = base.extend<Fixtures & { house: House }>({
  browser: async ({}, use) => {
    const browser = await launch()
    await use(browser)
    await browser.close()
  },
  house: async ({ browser }, use) => {
    const house: House = { halls: [], people: [] }
    await use(house)
    const left = await Promise.allSettled(house.people.map((person) => person.leave()))
    await Promise.all(house.halls.map((hall) => hall.remove()))
    const complaint = left.find((outcome) => outcome.status === 'rejected')
    if (complaint) {
      // Vitest ends no other fixture after one that failed.
      await browser.close()
      throw complaint.reason
    }
  },
  startHall: async ({ house }, use) => {
    await use(async (config) => {
      const hall = await Hall.start(config)
      house.halls.push(hall)
      return hall
    })
  },
  hall: async ({ startHall }, use) => {
    await use(await startHall())
  },
  arrive: async ({ browser, house, startHall }, use) => {
    await use(async (options) => {
      const hall = house.halls[0] ?? (await startHall())
      const person = await Person.arrive(browser, hall.base, options)
      house.people.push(person)
      return person
    })
  },
})

export { expect } from 'vitest'
export { PASSWORD } from './hall'
export { type Person } from './browser'
export { PHONE, WIDE } from './looks'
