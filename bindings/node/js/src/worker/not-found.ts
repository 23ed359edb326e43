// What a worker says of a task whose handler is not there.

import type { CenoteErrorCode } from '../errors.js';

/** The file exports no such handler: the owner makes a CenoteError of it. */
export class HandlerNotFound extends Error {
  readonly code: CenoteErrorCode = 'ERR_CENOTE_HANDLER_NOT_FOUND';
}

/** The file itself does not exist. */
export class FileNotFound extends HandlerNotFound {
  override readonly code = 'ERR_CENOTE_FILE_NOT_FOUND';
}
