/** The end of a connection whose client shall still read why. */
import type { Duplex } from 'node:stream'
import type { Clock } from '../../base/clock.ts'

/** How long a connection that was given up waits for the client to read. */
const lingerMs = 1_000

/** Ends the sending side, and the whole connection a moment later. */
export function endLingering(socket: Duplex, clock: Clock): void {
  socket.end()
  // Unread bytes at the close would make the system drop what was sent.
  socket.resume()
  const timer = clock.setTimer(lingerMs, () => {
    socket.destroy()
  })
  socket.once('close', () => {
    timer.cancel()
  })
}
