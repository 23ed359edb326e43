/**
 * Looks at the folder once before any pool does: counts its files, names what
 * cannot be read, and warms the file cache.
 *
 * The pools run one after the other. Without this pass the first would wait for
 * the disk and the second would find everything in memory. Warming stops after
 * 1 GiB; later files are opened, but not read.
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { walk } from './walk.mjs';

const kWarmBytes = 1024 ** 3;
const kOpenFlags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOFOLLOW ?? 0);

/**
 * @param {string} root
 * @param {object} options As for `walk`, and:
 * @param {AbortSignal} options.signal
 * @param {(path: string, reason: string) => void} options.onUnreadable
 * @param {(files: number) => void} options.onProgress
 * @returns {Promise<{ files: number, readable: number, closedFolders: number, others: number,
 * bytes: number }>}
 */
export async function survey(root, { excluded, limit, signal, onUnreadable, onProgress }) {
  const found = { files: 0, readable: 0, closedFolders: 0, others: 0, bytes: 0 };
  const chunk = Buffer.allocUnsafe(256 * 1024);
  const onOther = () => {
    found.others += 1;
  };
  const onClosedFolder = (path, reason) => {
    found.closedFolders += 1;
    onUnreadable(path, reason);
  };
  const walking = { excluded, limit, onOther, onUnreadable: onClosedFolder };
  let budget = kWarmBytes;
  for await (const path of walk(root, walking)) {
    signal.throwIfAborted();
    found.files += 1;
    onProgress(found.files);
    let file;
    try {
      file = await open(path, kOpenFlags);
      found.bytes += (await file.stat()).size;
      for (let read = 1; read > 0 && budget > 0; budget -= read) {
        signal.throwIfAborted();
        read = (await file.read(chunk, 0, chunk.length)).bytesRead;
      }
      found.readable += 1;
    } catch (error) {
      if (error.syscall === undefined) throw error;
      onUnreadable(path, error.code);
    } finally {
      await file?.close();
    }
  }
  return found;
}
