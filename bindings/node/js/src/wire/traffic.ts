// What has crossed by a carrier in one direction: how often by which path, and what it took.

import { bareList } from '../base/intrinsics.js';
import { kPathCount } from './channel.js';

export class Traffic {
  /** Values, by path. */
  readonly paths: number[] = bareList();
  /** In words and in moved buffers. */
  bytes = 0;
  /** What structured clones have taken on this thread, in ms. */
  cloneMs = 0;

  constructor() {
    for (let path = 0; path < kPathCount; path++) this.paths[path] = 0;
  }

  add(other: Traffic): void {
    for (let path = 0; path < kPathCount; path++) this.paths[path]! += other.paths[path]!;
    this.bytes += other.bytes;
    this.cloneMs += other.cloneMs;
  }
}
