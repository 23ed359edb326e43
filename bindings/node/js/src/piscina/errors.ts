// What a Piscina rejects with. The texts are Piscina's: programs compare them.

/** A task that was aborted, or a call that came too late. `cause` says why. */
export class AbortError extends Error {
  constructor(reason?: unknown) {
    super('The task has been aborted', { cause: reason });
  }

  override get name(): string {
    return 'AbortError';
  }
}

export const Errors = {
  aborted: (reason: unknown): AbortError => new AbortError(reason),
  threadTermination: (): Error => new Error('Terminating worker thread'),
  noFilename: (): Error => new Error('filename must be provided to run() or in options object'),
  queueAtLimit: (): Error => new Error('Task queue is at limit'),
  noQueue: (): Error => new Error('No task queue available and all Workers are busy'),
  closeTimeout: (): Error => new Error('Close operation timed out'),
  workerExited: (exitCode: number): Error => new Error(`worker exited with code: ${exitCode}`),
  noHandler: (filename: string): Error =>
    new Error(`No handler function exported from ${filename}`),
  terminated: (): AbortError => new AbortError('queue is being terminated'),
  poolClosed: (): AbortError => new AbortError('pool is closed'),
};
