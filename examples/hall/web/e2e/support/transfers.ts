import { randomFile, throttle } from './bytes'
import type { Person } from './browser'
import { PASSWORD, type Hall } from './hall'

export const MB = 1024 * 1024

/** Where files are chosen in the drive. */
export const chooser = ({ page }: Person) => page.locator('.drive-view input[type=file][multiple]')

/** Waits until some of the bytes are on their way. */
export async function underWay({ page }: Person) {
  await page.waitForFunction(() => {
    const bar = document.querySelector<HTMLProgressElement>('.transfer-row.running progress')
    return bar && bar.value > 10
  })
}

export async function done({ page }: Person, name: string) {
  await page.locator('.transfer-row.done', { hasText: name }).waitFor({ timeout: 40_000 })
}

/** Ada, who is signed in and has begun to send a file over a slow line. */
export async function sending(hall: Hall, person: Person, name = 'lecture.mp4', megabytes = 24) {
  hall.addAccount('ada')
  await person.signIn('ada', PASSWORD)
  await throttle(person.page, (megabytes / 8) * MB)
  const file = randomFile(hall, name, megabytes * MB)
  await chooser(person).setInputFiles(file.path)
  await underWay(person)
  return file
}
