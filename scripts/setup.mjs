// `npm run build`, and the first half of `npm start`: makes the checkout ready to run, doing only
// what is not done yet.
//
// Usage: node scripts/setup.mjs

import { prepare } from './lib/prepare.mjs';
import { main } from './lib/say.mjs';

await main(prepare);
