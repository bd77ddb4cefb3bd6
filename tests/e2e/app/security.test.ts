import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { closeDisplay, launchApp, type LaunchedApp, type PageWindow } from './launch.ts'

declare const window: PageWindow

let launched: LaunchedApp
beforeAll(async () => {
  launched = await launchApp({ flags: ['--playground=1'] })
  await launched.page.waitForLoadState('load')
})
// These run in reverse order, each whatever became of the other.
afterAll(closeDisplay)
afterAll(async () => {
  await launched.close()
})

/** Runs code in the page's own world, as an attacker's script would. */
function inPage(code: string): Promise<unknown> {
  return launched.page.evaluate(code)
}

describe('the window', () => {
  test('is sandboxed, isolated and without Node, webviews or insecure content', async () => {
    const preferences = await launched.app.evaluate(({ BrowserWindow }) => {
      const contents = BrowserWindow.getAllWindows()[0]!.webContents
      // Not part of the public types, but what the window really runs with.
      return (
        contents as unknown as { getLastWebPreferences(): Record<string, unknown> }
      ).getLastWebPreferences()
    })
    expect(preferences).toMatchObject({
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      nodeIntegrationInSubFrames: false,
      webSecurity: true,
      webviewTag: false,
    })
    expect(preferences['nodeIntegrationInWorker'] ?? false).toBe(false)
    expect(preferences['allowRunningInsecureContent'] ?? false).toBe(false)
    expect(preferences['experimentalFeatures'] ?? false).toBe(false)
    expect(preferences['enableBlinkFeatures'] ?? '').toBe('')
  })

  test('loads its page by the scheme of the app, not from a file or the network', () => {
    expect(launched.page.url()).toMatch(/^app:\/\/quorate\/index\.html/)
  })

  test('has no way to Node or to Electron', async () => {
    const found = await inPage(
      `[typeof require, typeof process, typeof module, typeof Buffer, typeof ipcRenderer, typeof electron]`,
    )
    expect(found).toEqual(Array(6).fill('undefined'))
  })

  test('has a bridge of named functions only, which cannot be changed', async () => {
    const described = (await inPage(`(() => {
      const kinds = new Set()
      const names = []
      for (const [group, functions] of Object.entries(window.bridge)) {
        for (const [name, value] of Object.entries(functions)) {
          kinds.add(typeof value)
          names.push(group + '.' + name)
        }
      }
      const before = window.bridge.kv.get
      try { window.bridge.kv.get = () => 'forged' } catch {}
      try { window.bridge = {} } catch {}
      return { kinds: [...kinds], names, isSame: window.bridge?.kv?.get === before }
    })()`)) as { kinds: string[]; names: string[]; isSame: boolean }
    expect(described.kinds).toEqual(['function'])
    expect(described.isSame).toBe(true)
    expect(described.names.filter((name) => /invoke|send|ipc|channel/i.test(name))).toEqual([])
  })

  test('cannot be led away, nor open another one', async () => {
    const before = launched.page.url()
    const opened = await inPage(`String(window.open('https://example.com/'))`)
    expect(opened).toBe('null')
    await inPage(`void (location.href = 'https://example.com/')`)
    await inPage(`void (location.href = 'file:///etc/passwd')`)
    await inPage(`(() => {
      const link = document.createElement('a')
      link.href = 'https://example.com/'
      link.target = '_blank'
      document.body.append(link)
      link.click()
      link.remove()
    })()`)
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(launched.page.url()).toBe(before)
    const count = await launched.app.evaluate(
      ({ BrowserWindow }) => BrowserWindow.getAllWindows().length,
    )
    expect(count).toBe(1)
  })

  test('runs neither inline scripts nor text as code, and reaches no host', async () => {
    const outcome = await inPage(`(async () => {
      globalThis.inlineRan = false
      const violated = new Set()
      document.addEventListener('securitypolicyviolation', (event) => {
        violated.add(event.effectiveDirective)
      })
      const script = document.createElement('script')
      script.textContent = 'globalThis.inlineRan = true'
      document.head.append(script)
      const image = document.createElement('div')
      image.innerHTML = '<img src="x:" onerror="globalThis.inlineRan = true">'
      document.body.append(image)
      await new Promise((resolve) => setTimeout(resolve, 100))
      image.remove()
      await fetch('https://example.com/').catch(() => undefined)
      const frame = document.createElement('iframe')
      frame.src = 'https://example.com/'
      document.body.append(frame)
      await new Promise((resolve) => setTimeout(resolve, 100))
      frame.remove()
      return { inlineRan: globalThis.inlineRan, violated: [...violated].sort() }
    })()`)
    // The policy itself refused each attempt; that the network is missing here would not be enough.
    expect(outcome).toEqual({
      inlineRan: false,
      violated: ['connect-src', 'frame-src', 'img-src', 'script-src-attr', 'script-src-elem'],
    })
    // The debugger may evaluate what the page may not, so the page's own attempt goes through a timer.
    const evaluated = await inPage(`new Promise((resolve) => {
      setTimeout(() => {
        let outcome = 'ran'
        try { (0, eval)('1') } catch (error) { outcome = error.name }
        resolve(outcome)
      }, 0)
    })`)
    expect(evaluated).toBe('EvalError')
  })

  test('is granted no permission', async () => {
    const outcome = await inPage(`(async () => {
      const asked = await Promise.all(
        ['geolocation', 'notifications', 'clipboard-read', 'camera', 'microphone'].map((name) =>
          navigator.permissions.query({ name }).then((status) => status.state, () => 'denied'),
        ),
      )
      const media = await navigator.mediaDevices?.getUserMedia({ audio: true })
        .then(() => 'granted', () => 'denied')
      return [...asked, media ?? 'denied']
    })()`)
    expect(outcome).toEqual(Array(6).fill('denied'))
  })

  test('gets no file outside of the build, and none of another kind', async () => {
    const statuses = await inPage(`Promise.all(
      ['/..%2f..%2fpackage.json', '/%2e%2e/main/index.cjs', '/nothing.js', '/assets/'].map((path) =>
        fetch('app://quorate' + path).then((response) => response.status, () => 0),
      ),
    )`)
    expect(statuses).toEqual([404, 404, 404, 404])
  })

  test('cannot embed a webview', async () => {
    const kind = await inPage(`(() => {
      const view = document.createElement('webview')
      view.src = 'https://example.com/'
      document.body.append(view)
      const hasWebview = typeof view.getWebContentsId
      view.remove()
      return hasWebview
    })()`)
    expect(kind).toBe('undefined')
  })

  test('still works after all of this', async () => {
    const isOk = await launched.page.evaluate(async () => (await window.bridge.app.info()).ok)
    expect(isOk).toBe(true)
  })
})
