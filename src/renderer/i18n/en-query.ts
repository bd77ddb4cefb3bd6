/** Titles of the commands of transactions and queries. */
export const queryCommands = {
  'view.query': 'Query: Transactions and queries',
} as const

/** Texts of transactions, queries of single members, and what is kept of them. */
export const enQuery = {
  query: {
    title: 'Transactions and queries',
  },
} as const
