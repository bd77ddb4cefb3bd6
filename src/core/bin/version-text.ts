/** What `--version` prints. The first line is the one that tools for etcd read. */
import { nodeConfigDefaults } from '../node/node-config.ts'

/** Set by the build from package.json; absent when the sources run as they are. */
declare const quorateVersion: string | undefined

const ownVersion = typeof quorateVersion === 'undefined' ? 'unbuilt' : quorateVersion

/** @param reportedVersion  the etcd version to claim, if not the usual one */
export function versionText(reportedVersion: string | undefined): string {
  return [
    `etcd Version: ${reportedVersion ?? nodeConfigDefaults.reportedVersion}`,
    `Git SHA: none`,
    `Go Version: none`,
    `Go OS/Arch: ${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
    `Quorate Version: ${ownVersion}`,
    '',
  ].join('\n')
}
