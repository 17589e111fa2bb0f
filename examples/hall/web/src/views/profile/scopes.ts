/** What an app token may be made for, the usual ones first. */
export const SCOPES = ['read', 'write', 'share', 'account', 'admin'] as const
export type Scope = (typeof SCOPES)[number]

type Translate = (key: string) => string

/** A scope in words; one that this page does not know, by its name. */
export function scopeWords(scope: string, t: Translate): string {
  return (SCOPES as readonly string[]).includes(scope) ? t(`profile.scope.${scope}`) : scope
}
