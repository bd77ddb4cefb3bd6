import sprite from '../../styles/icons.svg?raw'

/**
 * Puts the icon symbols into the page once, so that `<use href="#i-…">` finds them under every scheme and policy: a
 * reference to another file would be a request of its own.
 */
export function installIconSprite(page: Document): void {
  const parsed = new DOMParser().parseFromString(sprite, 'image/svg+xml').documentElement
  const svg = page.importNode(parsed, true)
  svg.setAttribute('width', '0')
  svg.setAttribute('height', '0')
  svg.setAttribute('aria-hidden', 'true')
  svg.style.position = 'absolute'
  page.body.prepend(svg)
}
