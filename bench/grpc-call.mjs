/** A unary call whose answer is only waited for: what fills a store before something is measured. */

/** One call of one encoded message on an open HTTP/2 session. */
export function call(session, path, message) {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
    })
    stream.on('trailers', (trailers) => {
      if (trailers['grpc-status'] === '0') resolve()
      else reject(new Error(`${path} was refused: ${trailers['grpc-message']}`))
    })
    stream.on('error', reject)
    stream.resume()
    stream.end(message)
  })
}
