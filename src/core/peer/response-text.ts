/** Reads at most the first kilobyte of an answer as text; calls back once, however the answer ends. */
export function collectText(
  response: NodeJS.ReadableStream,
  callback: (text: string) => void,
): void {
  let text = ''
  let isDone = false
  const finish = (): void => {
    if (isDone) return
    isDone = true
    callback(text)
  }
  response.on('data', (chunk: Uint8Array) => {
    if (text.length < 1_024) text += new TextDecoder().decode(chunk)
  })
  response.on('end', finish)
  response.on('error', finish)
  response.on('close', finish)
}
