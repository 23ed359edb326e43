/**
 * Walks a folder lazily and yields the path of every regular file in it.
 *
 * One directory is open at a time, and only the paths of folders not yet visited
 * are remembered. Symlinks are not followed; sockets, FIFOs and devices are left
 * out. A folder that cannot be read is reported and passed over, except the root
 * itself: there is nothing to do without it, so that error is thrown.
 */
import { opendir } from 'node:fs/promises';
import path from 'node:path';

/**
 * @param {string} root
 * @param {object} options
 * @param {ReadonlySet<string>} options.excluded Names of folders not to enter.
 * @param {number} options.limit Yields at most this many paths.
 * @param {(path: string, reason: string) => void} options.onUnreadable
 * @param {(path: string) => void} [options.onOther] Called for what is neither file nor folder.
 * @returns {AsyncGenerator<string>}
 */
export async function* walk(root, { excluded, limit, onUnreadable, onOther }) {
  const folders = [root];
  let yielded = 0;
  while (folders.length > 0 && yielded < limit) {
    const folder = folders.pop();
    try {
      for await (const entry of await opendir(folder)) {
        const entryPath = path.join(folder, entry.name);
        if (entry.isDirectory()) {
          if (!excluded.has(entry.name)) folders.push(entryPath);
        } else if (entry.isFile()) {
          yield entryPath;
          yielded += 1;
          if (yielded === limit) return;
        } else {
          onOther?.(entryPath);
        }
      }
    } catch (error) {
      if (error.syscall === undefined || folder === root) throw error;
      onUnreadable(folder, error.code);
    }
  }
}
