// A file of handlers, whose types a pool takes.

import type { TaskContext } from 'cenote';

export interface Image {
  readonly width: number;
}

export default (text: string): number => text.length;
export const resize = async (image: Image, context: TaskContext): Promise<Image> =>
  context.aborted ? image : { width: image.width / 2 };
export const noise = (): Uint8Array => new Uint8Array(8);
export const maybe = (n?: number): string => String(n);
export const later = Promise.resolve((n: number): boolean => n > 0);
export async function* lines(count: number): AsyncGenerator<string> {
  for (let n = 0; n < count; n++) yield `line ${n}`;
}
export const version = 7;
export function setup(): void {}
