/** Letters and digits that nobody takes for one another when they are read out. */
const SIGNS = 'abcdefghjkmnpqrstuvwxyz23456789'
const LENGTH = 15

/** A password to be given away: 74 bits, in groups that can be read out. */
export function randomPassword(): string {
  const signs: string[] = []
  while (signs.length < LENGTH) {
    const [byte = 0] = crypto.getRandomValues(new Uint8Array(1))
    // What does not divide evenly is thrown again, or the first signs would come more often.
    if (byte < Math.floor(256 / SIGNS.length) * SIGNS.length) signs.push(SIGNS[byte % SIGNS.length] ?? '')
  }
  return (signs.join('').match(/.{5}/g) ?? []).join('-')
}
