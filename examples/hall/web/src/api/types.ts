import type { components } from '../../generated/api'

type Schemas = components['schemas']

export type Account = Schemas['Account']
export type Drive = Schemas['Drive']
export type Health = Schemas['Health']
export type HealthPart = Schemas['HealthPart']
export type Node = Schemas['Node']
export type ProblemDocument = Schemas['Problem']
export type Session = Schemas['Session']
export type Share = Schemas['Share']
export type ShareFacts = Schemas['ShareFacts']
export type SharedNode = Schemas['SharedNode']
export type Token = Schemas['Token']
export type UnfinishedUpload = Schemas['Upload']
export type Version = Schemas['Version']
