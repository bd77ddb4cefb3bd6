/** Log lines as constant messages with data in fields; where they go is decided by whoever builds the node. */

/** Fields of a log line. Names carry units; values are never keys, values, passwords or tokens. */
export type LogFields = Readonly<Record<string, unknown>>

/** Writes log lines of one part of the program. */
export interface Logger {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** A logger that adds these fields to every line. */
  with(fields: LogFields): Logger
}

/** Says nothing. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  with: () => silentLogger,
}
