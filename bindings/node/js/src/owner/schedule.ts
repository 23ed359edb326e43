// The queue of a pool: which accepted task is next.
//
// Tasks of one *group* are taken by priority: a task is as good as one of priority 0 that came
// kAgingMs earlier for each step of its priority. So urgent tasks come first, and none waits for
// ever. Tasks of the same priority start in the order of their calls.
//
// Groups share the workers: the next task is one of the group that has had the least time so far,
// as the run times of its tasks say (start-time fair queueing); one that runs counts with what its
// handler takes on average. A group that had nothing to do saves nothing up: it starts level with
// the one that is furthest behind. Tasks without a group are one group, ''.
//
// While no task has a priority or a group this is one list, and costs nothing beyond it.

import { bareList, MathMax, removeFrom, SafeMap } from '../base/intrinsics.js';
import { TaskQueue, type Rank, type Task, type WaitQueue } from './task.js';

/** How much earlier a task counts as come for each step of its priority, in ms. */
export const kAgingMs = 100;
/** What a run counts at least, in ms: where nothing is measured yet, groups take turns. */
const kLeastMs = 0.001;

const kFewGroups = 64;

const kPlain: Rank = { priority: 0, group: '' };

/** Waiting tasks of one group and priority, in their order. */
interface Level {
  readonly priority: number;
  readonly tasks: TaskQueue;
}

class Group {
  /** By priority, and those that are not empty. */
  readonly #byPriority = new SafeMap<number, Level>();
  readonly #levels: Level[] = bareList();
  /** The time that its tasks have had, in ms, from a common start. */
  usedMs = 0;
  count = 0;

  levelOf(priority: number): Level {
    let level = this.#byPriority.get(priority);
    if (level === undefined) {
      level = { priority, tasks: new TaskQueue() };
      this.#byPriority.set(priority, level);
    }
    return level;
  }

  push(level: Level, task: Task): void {
    if (level.tasks.length === 0) this.#levels[this.#levels.length] = level;
    level.tasks.push(task);
    this.count++;
  }

  unshift(level: Level, tasks: readonly Task[]): void {
    if (level.tasks.length === 0) this.#levels[this.#levels.length] = level;
    level.tasks.unshift(tasks);
    this.count += tasks.length;
  }

  /** Removes a task, if it is in the level. */
  remove(level: Level, task: Task): boolean {
    const before = level.tasks.length;
    level.tasks.remove(task);
    if (level.tasks.length === before) return false;
    this.count--;
    if (level.tasks.length === 0) removeFrom(this.#levels, level);
    return true;
  }

  /** The best of its tasks. */
  best(): Task | null {
    let best: Task | null = null;
    let bestAt = Infinity;
    for (let i = 0; i < this.#levels.length; i++) {
      const { priority, tasks } = this.#levels[i]!;
      const task = tasks.peek()!;
      const at = task.acceptedAt - priority * kAgingMs;
      if (at >= bestAt) continue;
      best = task;
      bestAt = at;
    }
    return best;
  }
}

/** All groups. */
class Shares implements WaitQueue {
  readonly isOwn = true;
  readonly #groups = new SafeMap<string, Group>();
  /** Groups with waiting tasks. */
  readonly #active: Group[] = bareList();
  /** What was looked up last: a peek is followed by a shift. */
  #next: Task | null = null;
  /** The least that an active group has used, when it was last looked at. */
  #floorMs = 0;
  /** With so many it looks for groups to forget. */
  #mostGroups = kFewGroups;
  length = 0;

  #groupOf(name: string): Group {
    let group = this.#groups.get(name);
    if (group === undefined) {
      group = new Group();
      this.#groups.set(name, group);
    }
    return group;
  }

  #activate(group: Group): void {
    if (group.count > 0) return;
    group.usedMs = MathMax(group.usedMs, this.#floorMs);
    this.#active[this.#active.length] = group;
  }

  get groupCount(): number {
    return this.#groups.size;
  }

  push(task: Task): void {
    const { priority, group: name } = rankOf(task);
    const group = this.#groupOf(name);
    this.#activate(group);
    group.push(group.levelOf(priority), task);
    this.length++;
    this.#next = null;
  }

  peek(): Task | null {
    if (this.#next !== null || this.length === 0) return this.#next;
    let least = this.#active[0]!;
    for (let i = 1; i < this.#active.length; i++)
      if (this.#active[i]!.usedMs < least.usedMs) least = this.#active[i]!;
    this.#floorMs = least.usedMs;
    this.#next = least.best();
    return this.#next;
  }

  shift(): Task | null {
    const task = this.peek();
    if (task === null) return null;
    const group = this.#groupOf(rankOf(task).group);
    // Until it has run, and it is known what it takes.
    const terms = task.withTerms();
    terms.account = group;
    terms.chargedMs = costOf(task);
    group.usedMs += terms.chargedMs;
    this.#take(group, task);
    return task;
  }

  #take(group: Group, task: Task): void {
    if (!group.remove(group.levelOf(rankOf(task).priority), task)) return;
    this.length--;
    this.#next = null;
    if (group.count > 0) return;
    removeFrom(this.#active, group);
    // Where nobody waits, nobody has had more than others.
    if (this.length === 0) this.#groups.clear();
    else this.#forgetOld();
  }

  /** Names may be as many as there are users. Forgets groups whose use is made up for. */
  #forgetOld(): void {
    if (this.#groups.size < this.#mostGroups) return;
    const old: string[] = bareList();
    this.#groups.forEach((group, name) => {
      if (group.count === 0 && group.usedMs <= this.#floorMs) old[old.length] = name;
    });
    for (let i = 0; i < old.length; i++) this.#groups.delete(old[i]!);
    this.#mostGroups = MathMax(kFewGroups, 2 * this.#groups.size);
  }

  /** Tasks that were taken back: they have had no time. */
  unshift(tasks: readonly Task[]): void {
    for (let i = tasks.length - 1; i >= 0; i--) {
      const task = tasks[i]!;
      const { priority, group: name } = rankOf(task);
      const group = this.#groupOf(name);
      this.#activate(group);
      refund(task);
      group.unshift(group.levelOf(priority), [task]);
    }
    this.length += tasks.length;
    this.#next = null;
  }

  remove(task: Task): void {
    const { group } = rankOf(task);
    if (this.#groups.has(group)) this.#take(this.#groupOf(group), task);
  }
}

export class Schedule implements WaitQueue {
  readonly isOwn = true;
  readonly #plain = new TaskQueue();
  #shares: Shares | null = null;

  get length(): number {
    return this.#shares === null ? this.#plain.length : this.#shares.length;
  }

  peek(): Task | null {
    return this.#shares === null ? this.#plain.peek() : this.#shares.peek();
  }

  /** How many groups are remembered. */
  get groupCount(): number {
    return this.#shares === null ? 0 : this.#shares.groupCount;
  }

  push(task: Task): void {
    if (this.#shares === null && isRanked(task)) this.#share();
    if (this.#shares === null) this.#plain.push(task);
    else this.#shares.push(task);
  }

  /** From the first task with a rank on, all have one. */
  #share(): void {
    const shares = new Shares();
    for (let task = this.#plain.shift(); task !== null; task = this.#plain.shift())
      shares.push(task);
    this.#shares = shares;
  }

  shift(): Task | null {
    return this.#shares === null ? this.#plain.shift() : this.#shares.shift();
  }

  unshift(tasks: readonly Task[]): void {
    if (this.#shares === null) this.#plain.unshift(tasks);
    else this.#shares.unshift(tasks);
  }

  remove(task: Task): void {
    if (this.#shares === null) this.#plain.remove(task);
    else this.#shares.remove(task);
  }
}

function isRanked(task: Task): boolean {
  return task.terms !== null && task.terms.rank !== null;
}

function rankOf(task: Task): Rank {
  return task.terms === null || task.terms.rank === null ? kPlain : task.terms.rank;
}

/** It was taken back, and has had no time. */
function refund({ terms }: Task): void {
  if (terms === null || terms.account === null) return;
  terms.account.usedMs -= terms.chargedMs;
  terms.account = null;
}

/** What a task is expected to take, in ms. */
function costOf(task: Task): number {
  return MathMax(task.handler.averageMs, kLeastMs);
}
