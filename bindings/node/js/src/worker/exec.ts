// The handler of `pool.exec()`: compiles the code of a function, and calls it.
//
// The code is strict, and its `import()` and `require` start at the file of the caller. It is
// compiled once for each code and file of late. It sees the globals of the worker, and `require`.

import { createRequire } from 'node:module';
import { isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as vm from 'node:vm';
import { ReflectApply, SafeMap, StringIncludes, StringStartsWith } from '../base/intrinsics.js';

type Inline = (...args: unknown[]) => unknown;

const kMostFunctions = 256;
const compiled = new SafeMap<string, Inline>();
const cwd = process.cwd.bind(process);

/** Runs `[code, file, args]`. */
export function exec(payload: readonly [string, string, readonly unknown[]]): unknown {
  const [code, file, args] = payload;
  const key = `${file}\n${code}`;
  let fn = compiled.get(key);
  if (fn === undefined) {
    fn = compile(code, file);
    if (compiled.size >= kMostFunctions) compiled.clear();
    compiled.set(key, fn);
  }
  return ReflectApply(fn, undefined, args);
}

function compile(code: string, file: string): Inline {
  // What is evaluated, or read by the standard input, has no file.
  const isFile = StringStartsWith(file, 'file:') || isAbsolute(file);
  const path = !isFile
    ? join(cwd(), '[exec]')
    : StringStartsWith(file, 'file:')
      ? fileURLToPath(file)
      : file;
  const make = vm.compileFunction(`'use strict';return ${code}`, ['require'], {
    filename: isFile ? file : path,
    // Node 20 warns of it as experimental: only where it is needed.
    importModuleDynamically: StringIncludes(code, 'import')
      ? vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER
      : undefined,
  } as vm.CompileFunctionOptions) as (require: NodeJS.Require) => Inline;
  return make(createRequire(path));
}

/** Whether a file of handlers says that they may run outside of a worker. */
export async function inlineSafe(url: string): Promise<boolean> {
  const exports = (await import(url)) as { inlineSafe?: unknown; default?: unknown };
  const inner = exports.default as { inlineSafe?: unknown } | undefined;
  return exports.inlineSafe === true || inner?.inlineSafe === true;
}
