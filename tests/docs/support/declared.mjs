// What the package declares, by name: options, methods, events, and what a handler's context has.

import { readdirSync, readFileSync } from 'node:fs';

const dist = new URL('../../../dist/', import.meta.url);
const read = (name) => readFileSync(new URL(name, dist), 'utf8').replace(/\/\*[^]*?\*\//g, '');

// The parts that users see: not how calls are read, what `stats()` has, the drop-in for Piscina.
const files = [
  ...readdirSync(dist).filter((name) =>
    /^(?!arguments|calls|errors|renewal|stats|piscina).*\.d\.ts$/.test(name),
  ),
  'worker/task-context.d.ts',
];

/** Every name that a public declaration of the package defines or exports. */
export const declared = new Set(
  files.flatMap((file) =>
    Array.from(read(file).matchAll(/^ +(?:readonly |get )*(\w+)[?(<:]/gm), ([, name]) => name),
  ),
);
for (const [, name] of read('index.d.ts').matchAll(/^export (?:declare )?(?:const|type) (\w+)/gm))
  declared.add(name);
for (const [, names] of read('index.d.ts').matchAll(/^export (?:type )?\{([^}]*)\}/gm)) {
  for (const name of names.split(',')) declared.add(name.replace('type ', '').trim());
}
