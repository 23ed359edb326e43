// What arrays have methods for, without them: user code may replace those.

export function includes<T>(list: readonly T[], item: T): boolean {
  for (let i = 0; i < list.length; i++) if (list[i] === item) return true;
  return false;
}

/** Adds items to a list of the pool's own. */
export function addAll<T>(list: T[], more: readonly T[]): void {
  for (let i = 0; i < more.length; i++) list[list.length] = more[i]!;
}

export function reverse<T>(list: T[]): void {
  for (let i = 0, j = list.length - 1; i < j; i++, j--) {
    const item = list[i]!;
    list[i] = list[j]!;
    list[j] = item;
  }
}
