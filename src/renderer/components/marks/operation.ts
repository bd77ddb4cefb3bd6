/** What happened to a key in one revision; each has its own shape, colour and word. */
export type Operation = 'create' | 'put' | 'delete' | 'expire'
