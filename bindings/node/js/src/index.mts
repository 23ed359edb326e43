// The ESM entry: the same instance of everything that `require('cenote')` gives, by name, and
// `Pool` as the default. An application that loads Cenote both ways still has one Cenote.

export { AbortError, CenoteError, contextValues, move, Pool, Pool as default } from './index.js';
export type * from './index.js';
