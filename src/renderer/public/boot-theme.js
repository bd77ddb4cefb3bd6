// Runs before the first paint, so that no window flashes in the wrong theme. The store writes what it reads.
/* global document, localStorage, matchMedia */
;(() => {
  const saved = localStorage.getItem('quorate.theme')
  const isDark = matchMedia('(prefers-color-scheme: dark)').matches
  const followed = isDark ? 'dark' : 'light'
  document.documentElement.dataset.theme = saved === null || saved === 'system' ? followed : saved
})()
