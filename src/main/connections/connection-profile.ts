/** A cluster that the user saved. */

import { z } from 'zod'
import { endpointSchema, environmentSchema } from '../../preload/contract/connection.ts'
import { endpointsMax } from '../../preload/contract/limits.ts'
import { connectionIdSchema, shortTextSchema } from '../../preload/contract/primitives.ts'

/** Where the files of a secured connection are. */
const tlsProfileSchema = z.object({
  authoritiesPath: z.string().optional(),
  certificatePath: z.string().optional(),
  privateKeyPath: z.string().optional(),
  serverName: shortTextSchema.optional(),
  isVerifySkipped: z.boolean(),
})
export type TlsProfile = z.infer<typeof tlsProfileSchema>

export const connectionProfileSchema = z.object({
  id: connectionIdSchema,
  name: shortTextSchema,
  endpoints: z.array(endpointSchema).min(1).max(endpointsMax),
  environment: environmentSchema,
  isReadOnly: z.boolean(),
  /** The user to log in as; the password is kept elsewhere, if at all. */
  user: shortTextSchema.optional(),
  tls: tlsProfileSchema.optional(),
})
export type ConnectionProfile = z.infer<typeof connectionProfileSchema>

/** What the file of profiles holds. */
export const profilesFileSchema = z.object({
  schemaVersion: z.literal(1),
  profiles: z.array(connectionProfileSchema),
})
export type ProfilesFileContent = z.infer<typeof profilesFileSchema>
