import { parsePeerUrl, type PeerUrl } from './peer-url.ts'

/** The URLs of one peer and which of them is in use: the one that worked last, the next after a failure. */
export class PeerAddresses {
  private urls: readonly PeerUrl[] = []
  private position = 0

  constructor(texts: readonly string[]) {
    this.replace(texts)
  }

  /** Takes new URLs; those that cannot be used are left out. */
  replace(texts: readonly string[]): void {
    this.urls = texts.map(parsePeerUrl).filter((url) => url !== undefined)
    this.position = 0
  }

  /** Undefined when the peer has no URL that can be used. */
  current(): PeerUrl | undefined {
    return this.urls[this.position]
  }

  /** The given URL did not work: another one is next, unless that was decided already. */
  reportFailure(url: PeerUrl): void {
    if (this.current() === url && this.urls.length > 0) {
      this.position = (this.position + 1) % this.urls.length
    }
  }
}
