/** An error whose message is all there is to say: it is shown on one line, without a stack. */
export class PlainError extends Error {
  /** Whether the usage is shown below the message. */
  withUsage;

  /** @param {{ cause?: unknown, withUsage?: boolean }} [options] */
  constructor(message, { cause, withUsage = false } = {}) {
    super(message, { cause });
    this.withUsage = withUsage;
  }
}

/** A mistake on the command line that the usage explains. */
export function usageError(message) {
  return new PlainError(message, { withUsage: true });
}
