// What `pool.exec()` sends to a worker: the code of a function that needs nothing from outside.
//
// The function's source is parsed, once for each source of late, and the names are found that it
// takes from outside. The globals of Node are in every worker, and `require` is given to it there;
// any other name is refused here, before a task is made. The parser is loaded by the first call.
//
// Globals that a program added itself are not in its workers. They are told from Node's by being
// enumerable, as what is assigned is; the few of Node's that are so, too, are listed.

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  FunctionToString,
  ObjectGetOwnPropertyDescriptor,
  SafeMap,
  SafeSet,
  StringEndsWith,
  StringSlice,
} from '../base/intrinsics.js';
import { CenoteError, invalidType, messageOf } from '../errors.js';
import { freeNames, type FreeName, type SyntaxNode } from './free-names.js';

/** The file whose export `exec` runs the code in a worker. */
export const kExecFile = placeOfExecFile();

function placeOfExecFile(): string {
  try {
    return pathToFileURL(join(__dirname, '..', 'worker', 'exec.js')).href;
  } catch {
    // A bundle that is an ES module has no such variable: there are no workers then either.
    return '';
  }
}

const kMostSources = 256;
const codes = new SafeMap<string, string>();
const kEnumerable = new SafeSet<string>();
for (const name of [
  'global',
  'clearImmediate',
  'setImmediate',
  'clearInterval',
  'clearTimeout',
  'setInterval',
  'setTimeout',
  'queueMicrotask',
  'structuredClone',
  'atob',
  'btoa',
  'performance',
  'fetch',
  'navigator',
  'crypto',
])
  kEnumerable.add(name);

interface Parser {
  parse(source: string, options: object): SyntaxNode;
}

/** An expression that gives the function. Throws what is wrong with it. */
export function codeOf(fn: unknown): string {
  if (typeof fn !== 'function') throw invalidType('fn', 'a function', fn);
  const source = FunctionToString(fn);
  const known = codes.get(source);
  if (known !== undefined) return known;
  const code = makeCode(fn, source);
  if (codes.size >= kMostSources) codes.clear();
  codes.set(source, code);
  return code;
}

const kNative = '{ [native code] }';

function makeCode(fn: unknown, source: string): string {
  if (StringEndsWith(source, kNative))
    throw invalidType('fn', 'a function with source code, which bound and built-in ones lack', fn);
  const { node, text, isMethod } = parse(fn, source);
  if (node.type === 'ClassExpression' || node['generator'] === true)
    throw invalidType('fn', 'a plain or an async function, no class and no generator', fn);
  const strangers = refusedOf(freeNames(node));
  if (strangers !== '') {
    throw new CenoteError(
      'ERR_CENOTE_NOT_CLOSED',
      `The function passed to exec() uses ${strangers}. ` +
        'Pass it as an argument, or export the function from a file.',
    );
  }
  const own = StringSlice(text, node.start, node.end);
  if (!isMethod) return `(${own}\n)`;
  return `(${node['async'] === true ? 'async ' : ''}function ${own}\n)`;
}

/** The function in its source, which is an expression or a method. */
function parse(
  fn: unknown,
  source: string,
): { readonly node: SyntaxNode; readonly text: string; readonly isMethod: boolean } {
  const parser = require('../lib/parser.js') as Parser;
  const options = {
    ecmaVersion: 'latest',
    locations: true,
    // Refused below, by name.
    allowImportExportEverywhere: true,
  };
  const read = (text: string): SyntaxNode => {
    const program = parser.parse(text, options);
    return (program['body'] as readonly SyntaxNode[])[1]!['expression'] as SyntaxNode;
  };
  const asExpression = `'use strict';(${source}\n)`;
  try {
    return { node: read(asExpression), text: asExpression, isMethod: false };
  } catch (error) {
    const asMethod = `'use strict';({${source}\n})`;
    let method: SyntaxNode;
    try {
      method = (read(asMethod)['properties'] as readonly SyntaxNode[])[0]!;
    } catch {
      throw invalidType('fn', `strict code (${messageOf(error)})`, fn);
    }
    if (method['kind'] !== 'init')
      throw invalidType('fn', 'a plain or an async function, no getter and no setter', fn);
    return { node: method['value'] as SyntaxNode, text: asMethod, isMethod: true };
  }
}

const kBefore = "'use strict';(".length;

/** The names that no worker has, as a message shows them. Empty if there is none. */
function refusedOf(free: readonly FreeName[]): string {
  let list = '';
  for (let i = 0; i < free.length; i++) {
    const { name, node } = free[i]!;
    if (name === 'require' || isGlobal(name)) continue;
    const { line, column } = node.loc.start;
    const at = line === 1 ? column - kBefore : column;
    if (list !== '') list += ', and ';
    list += `\`${name}\`, which is defined outside of it (line ${line}, column ${at + 1})`;
  }
  return list;
}

function isGlobal(name: string): boolean {
  const descriptor = ObjectGetOwnPropertyDescriptor(globalThis, name);
  return descriptor !== undefined && (descriptor.enumerable !== true || kEnumerable.has(name));
}
