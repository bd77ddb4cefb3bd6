/** Looking for a version where history is likely to have it. */
import { equalBytes } from '../base/bytes.ts'
import type { BackendReader } from '../backend/backend.ts'
import { encodedOfRaw } from './key-record.ts'
import { encodeRevisionKey, versionOfRevisionKey, type KeyVersion } from './revision.ts'
import { keyOfEncoded } from './stored-key-value.ts'

/** Records looked at: as costly as some five steps from version to version. */
const probedRecordCountMax = 12

/**
 * The newest version of a key not after a revision, if one of the last records up to there is of this key. Each is checked
 * on the way: a damaged one could hide that it is the one looked for.
 *
 * A compaction does not mislead it. It removes a version after all older ones of the same key, or together with them, so
 * what is met first is the newest one, as far as anything of the key's life at that revision is left.
 *
 * @throws StorageFault when a record is damaged
 */
export function probeVersion(
  reader: BackendReader,
  key: Uint8Array,
  revision: number,
): KeyVersion | undefined {
  let found: KeyVersion | undefined
  let stepCount = 0
  const end = encodeRevisionKey(revision + 1, 0)
  reader.visit('key', { end, isReverse: true }, (raw) => {
    if (equalBytes(keyOfEncoded(encodedOfRaw(raw)), key)) {
      found = versionOfRevisionKey(raw.copyKey())
      return false
    }
    return ++stepCount < probedRecordCountMax
  })
  return found
}
