// The functions of the runtime that values are read and made by (see `wire/codec.ts`), taken when
// the package loads, as in `intrinsics.ts`.

import { getterOf, typedArray, uncurry } from './intrinsics.js';

export const ArrayIndexOf = uncurry(Array.prototype.indexOf) as <T>(list: T[], item: T) => number;
export const {
  BigInt: PlainBigInt,
  Date: PlainDate,
  Int32Array: PlainInt32Array,
  Map: PlainMap,
  RegExp: PlainRegExp,
  Set: PlainSet,
  Uint8Array: PlainUint8Array,
} = globalThis;
/** The classes of views that every supported runtime has. */
export const kViewClasses = [
  DataView,
  Int8Array,
  PlainUint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
] as const;
const toStringTag = getterOf<ArrayBufferView, string | undefined>(typedArray, Symbol.toStringTag);
const kViewNames = kViewClasses.map(({ name }) => name);
/** The index in {@link kViewClasses} of a view's class; -1 if it is of another. */
export function viewClassOf(view: ArrayBufferView): number {
  const name = toStringTag(view);
  if (name === undefined) return 0;
  for (let i = 1; i < kViewNames.length; i++) if (kViewNames[i] === name) return i;
  return -1;
}
const getters = <R>(name: string) => ({
  ofDataView: getterOf<ArrayBufferView, R>(DataView.prototype, name),
  ofTypedArray: getterOf<ArrayBufferView, R>(typedArray, name),
});
const buffer = getters<ArrayBufferLike>('buffer');
const byteOffset = getters<number>('byteOffset');
const byteLength = getterOf<ArrayBufferView, number>(DataView.prototype, 'byteLength');
const length = getterOf<ArrayBufferView, number>(typedArray, 'length');
/** Of views; the class is what {@link viewClassOf} says. */
export function viewBuffer(view: ArrayBufferView, viewClass: number): ArrayBufferLike {
  return viewClass === 0 ? buffer.ofDataView(view) : buffer.ofTypedArray(view);
}
export function viewOffset(view: ArrayBufferView, viewClass: number): number {
  return viewClass === 0 ? byteOffset.ofDataView(view) : byteOffset.ofTypedArray(view);
}
/** In elements; of a `DataView` in bytes. */
export function viewLength(view: ArrayBufferView, viewClass: number): number {
  return viewClass === 0 ? byteLength(view) : length(view);
}
const setBytes = uncurry(Uint8Array.prototype.set);
/** Copies one typed array into another of its kind. */
export const TypedArraySet = setBytes as unknown as (
  target: Uint8Array | Int32Array,
  source: Uint8Array | Int32Array,
  offset?: number,
) => void;
export const isResizable: (buffer: ArrayBuffer) => boolean = Object.hasOwn(
  ArrayBuffer.prototype,
  'resizable',
)
  ? getterOf<ArrayBuffer, boolean>(ArrayBuffer.prototype, 'resizable')
  : () => false;
export const BufferCompare = Buffer.compare.bind(Buffer);
/** Bytes that hold anything, in a buffer of their own. */
export const allocateBytes = Buffer.allocUnsafeSlow.bind(Buffer);
export const DateGetTime = uncurry(Date.prototype.getTime);
export const RegExpSource = getterOf<RegExp, string>(RegExp.prototype, 'source');
const kFlags = [
  ['d', 'hasIndices'],
  ['g', 'global'],
  ['i', 'ignoreCase'],
  ['m', 'multiline'],
  ['s', 'dotAll'],
  ['u', 'unicode'],
  ['v', 'unicodeSets'],
  ['y', 'sticky'],
].map(([letter, name]) => ({
  letter: letter!,
  isSet: getterOf<RegExp, boolean>(RegExp.prototype, name!),
}));
/** The flags that an expression was made with, whatever properties of its own it has. */
export function flagsOf(expression: RegExp): string {
  let flags = '';
  for (let i = 0; i < kFlags.length; i++) {
    if (kFlags[i]!.isSet(expression)) flags += kFlags[i]!.letter;
  }
  return flags;
}
export const MapForEach = uncurry(Map.prototype.forEach) as (
  map: Map<unknown, unknown>,
  call: (value: unknown, key: unknown) => void,
) => void;
export const MapSet = uncurry(Map.prototype.set) as (
  map: Map<unknown, unknown>,
  key: unknown,
  value: unknown,
) => void;
export const SetForEach = uncurry(Set.prototype.forEach) as (
  set: Set<unknown>,
  call: (value: unknown) => void,
) => void;
export const SetAdd = uncurry(Set.prototype.add) as (set: Set<unknown>, value: unknown) => void;
export const BigIntToString = uncurry(BigInt.prototype.toString);
export const JSONParse = JSON.parse.bind(JSON) as (text: string) => unknown;
export const JSONStringify = JSON.stringify.bind(JSON) as (text: string | undefined) => string;
