/** Files that the user chooses: saving in parts, and reading. */

import { callChannels } from '../../preload/contract/channels.ts'
import {
  appendFileRequestSchema,
  beginSaveRequestSchema,
  fileTokenRequestSchema,
  openFileRequestSchema,
} from '../../preload/contract/file.ts'
import type { ChosenFiles } from '../files/chosen-files.ts'
import type { IpcRouter } from './ipc-router.ts'

export function registerFileHandlers(router: IpcRouter, files: ChosenFiles): void {
  router.call(callChannels.filesBeginSave, beginSaveRequestSchema, (request) =>
    files.beginSave(request),
  )
  router.call(callChannels.filesAppend, appendFileRequestSchema, async ({ token, bytes }) => {
    await files.append(token, bytes)
    return null
  })
  router.call(callChannels.filesFinishSave, fileTokenRequestSchema, ({ token }) =>
    files.finishSave(token),
  )
  router.call(callChannels.filesAbandonSave, fileTokenRequestSchema, async ({ token }) => {
    await files.abandonSave(token)
    return null
  })
  router.call(callChannels.filesOpen, openFileRequestSchema, (request) => files.open(request))
}
