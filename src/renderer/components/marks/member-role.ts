/** What a member is, as far as its own answer tells; `down` when it gives none. */
export type MemberRole = 'leader' | 'follower' | 'candidate' | 'learner' | 'down'

/** The icon of a role: crown, ring and dot, dashed ring, cap, crossed circle. */
export const roleIcons: Readonly<Record<MemberRole, string>> = {
  leader: 'crown',
  follower: 'follower',
  candidate: 'candidate',
  learner: 'cap',
  down: 'down',
}
