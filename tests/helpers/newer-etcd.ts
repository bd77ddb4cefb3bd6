/** The newest real etcd that Debian has: rules about users and members changed between 3.4 and 3.5. */
import { ensureEtcdForBench } from '../../scripts/real-etcd.mjs'

/** Path of an etcd 3.5, downloaded where it is not there yet. @throws Error where only an older one is to be had */
export function newerEtcd(): string {
  const { command, version, isExpected } = ensureEtcdForBench()
  if (!isExpected) throw new Error(`the comparison needs an etcd 3.5, and ${version} was found`)
  return command
}
