// How deep a value goes, as far as a structured clone walks it.
//
// A clone is written and read by recursion, and the two threads have stacks of different sizes:
// what one could write the other may fail to read. So a property of an error that is deeper than
// kDepthMax crosses not at all. The walk follows a clone's own order, since it is the longest path
// of that walk which takes the stack, and not the shortest way to an object. It calls no getter if
// it is given what a clone made.

import { types } from 'node:util';
import {
  ArrayBufferIsView,
  bareList,
  ObjectKeys,
  SafeSet,
  uncurry,
} from '../../base/intrinsics.js';

/**
 * Levels of a value that surely cross. V8 takes up to 512 bytes of stack to read one (measured: 188
 * levels by a worker of `stackSizeMb: 0.3`, 597 of 0.5, 1,616 of 1), so these take 128 KB: an
 * eighth of a main thread's stack.
 */
export const kDepthMax = 256;

const { isMap, isSet, isNativeError } = types;
const mapForEach = uncurry(Map.prototype.forEach);
const setForEach = uncurry(Set.prototype.forEach);

/** Whether the value has more levels than that. */
export function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const seen = new SafeSet<object>();
  // What is left to visit at each level of the path: a list, and how far the walk is in it.
  const lists = bareList<readonly unknown[]>();
  const positions = bareList<number>();
  let level = 0;
  seen.add(value);
  lists[0] = childrenOf(value);
  positions[0] = 0;
  while (level >= 0) {
    const list = lists[level]!;
    const position = positions[level]!;
    if (position >= list.length) {
      level--;
      continue;
    }
    positions[level] = position + 1;
    const child = list[position];
    if (typeof child !== 'object' || child === null || seen.has(child)) continue;
    if (++level >= levels) return true;
    seen.add(child);
    lists[level] = childrenOf(child);
    positions[level] = 0;
  }
  return false;
}

function childrenOf(value: object): readonly unknown[] {
  const children = bareList<unknown>();
  let count = 0;
  const add = (child: unknown): void => {
    if (typeof child === 'object' && child !== null) children[count++] = child;
  };
  if (ArrayBufferIsView(value)) return children;
  if (isMap(value)) {
    mapForEach(value, (item, key) => {
      add(key);
      add(item);
    });
  } else if (isSet(value)) {
    setForEach(value, add);
  } else {
    if (isNativeError(value)) add(value.cause);
    const keys = ObjectKeys(value);
    for (let i = 0; i < keys.length; i++) add((value as Record<string, unknown>)[keys[i]!]);
  }
  return children;
}
