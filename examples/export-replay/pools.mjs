/**
 * The pools that can be compared, each with the same two workers and, apart from what its name
 * says, with its defaults.
 *
 * `load` only imports the library, so that a missing build or package is noticed before any work
 * starts; what it returns makes a pool. Every pool has `run(task)` and `destroy()`.
 */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { PlainError } from './errors.mjs';

export const kThreads = 2;

const filename = fileURLToPath(new URL('task.cjs', import.meta.url));
const size = { filename, minThreads: kThreads, maxThreads: kThreads };

const pools = {
  cenote: async () => {
    const { Pool } = createRequire(import.meta.url)('../../');
    return () => new Pool(size);
  },
  piscina: async () => {
    const { Piscina } = await import('piscina');
    return () => new Piscina(size);
  },
  'piscina-atomics-off': async () => {
    const { Piscina } = await import('piscina');
    return () => new Piscina({ ...size, atomics: 'disabled' });
  },
};

export const kPoolNames = Object.keys(pools);

/** @returns {Promise<() => { run(task: unknown): Promise<any>, destroy(): Promise<void> }>} */
export async function load(name) {
  try {
    return await pools[name]();
  } catch (error) {
    const [reason] = error.message.split('\n');
    throw new PlainError(`cannot load ${name}: ${reason}; \`npm start\` installs and builds it`, {
      cause: error,
    });
  }
}
