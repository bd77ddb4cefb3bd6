/** The name in a client's certificate is its user, where certificates are asked for and users checked. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { TestAuthority, type CertificatePaths } from '../helpers/certificates.ts'
import { etcdctl } from '../helpers/etcdctl.ts'
import { QuoratedMember } from '../helpers/quorated.ts'
import { freePorts } from '../helpers/real-etcd.ts'

test('a client is judged by the name in its certificate', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'certificate-users-'))
  const authority = await TestAuthority.create(folder)
  const server = await authority.issue('server', { commonName: 'server', hosts: ['127.0.0.1'] })
  const root = await authority.issue('root', { commonName: 'root' })
  const ann = await authority.issue('ann', { commonName: 'ann' })
  const [clientPort, peerPort] = await freePorts(2)
  const clientUrl = `https://127.0.0.1:${String(clientPort)}`
  const peerUrl = `http://127.0.0.1:${String(peerPort)}`
  const member = new QuoratedMember(
    { name: 'node1', clientUrl, peerUrl, dataDirectory: join(folder, 'data') },
    [
      `--initial-cluster=node1=${peerUrl}`,
      `--cert-file=${server.cert}`,
      `--key-file=${server.key}`,
      `--trusted-ca-file=${authority.certPath}`,
      '--client-cert-auth',
    ],
  )
  const run = async (who: CertificatePaths, ...words: string[]): Promise<string> => {
    const showing = [`--cacert=${authority.certPath}`, `--cert=${who.cert}`, `--key=${who.key}`]
    const { code, stderr } = await etcdctl([...showing, ...words], { endpoints: clientUrl })
    return code === 0 ? 'done' : (stderr.trim().split('\n').at(-1) ?? '')
  }
  try {
    await member.start()
    expect(await run(root, 'user', 'add', 'root:x')).toBe('done')
    expect(await run(root, 'user', 'grant-role', 'root', 'root')).toBe('done')
    expect(await run(root, 'user', 'add', 'ann', '--no-password')).toBe('done')
    expect(await run(root, 'role', 'add', 'r')).toBe('done')
    expect(await run(root, 'role', 'grant-permission', 'r', 'readwrite', 'a')).toBe('done')
    expect(await run(root, 'user', 'grant-role', 'ann', 'r')).toBe('done')
    expect(await run(root, 'auth', 'enable')).toBe('done')
    expect(await run(ann, 'put', 'a', '1')).toBe('done')
    expect(await run(ann, 'put', 'b', '1')).toBe('Error: etcdserver: permission denied')
    expect(await run(ann, 'user', 'list')).toBe('Error: etcdserver: permission denied')
    expect(await run(root, 'user', 'list')).toBe('done')
  } finally {
    await member.kill()
    rmSync(folder, { recursive: true })
  }
})
