// What a TypeScript CommonJS module may write. Compiled, never run.

import cenote = require('cenote');
import { Pool, type Handler } from 'cenote';

const handler: Handler<number, number> = (n) => n * 2;
const pool: cenote.Pool<number, number> = new Pool<number, number>({ filename: __filename });

async function use(): Promise<number> {
  try {
    await pool.ready();
    cenote.move(new ArrayBuffer(8));
    return await pool.run(21, { timeout: 1_000 });
  } catch (error) {
    if (error instanceof cenote.CenoteError) return error.code.length;
    throw error;
  } finally {
    await pool[Symbol.asyncDispose]();
  }
}

export = { handler, use };
