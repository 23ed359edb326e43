// The functions of the runtime that values are read and made by (see `wire/codec.ts`), taken when
// the package loads, as in `intrinsics.ts`.

import { types } from 'node:util';
import { getterOf, typedArray, uncurry } from './intrinsics.js';

export const ArrayIndexOf = uncurry(Array.prototype.indexOf) as <T>(list: T[], item: T) => number;
export const {
  ArrayBuffer: PlainArrayBuffer,
  BigInt: PlainBigInt,
  DataView: PlainDataView,
  Date: PlainDate,
  Int32Array: PlainInt32Array,
  Map: PlainMap,
  RegExp: PlainRegExp,
  Set: PlainSet,
  Uint8Array: PlainUint8Array,
} = globalThis;
/** The classes of views that every supported runtime has. */
export const kViewClasses = [
  PlainDataView,
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
const toStringTag = getterOf<ArrayBufferView, string>(typedArray, Symbol.toStringTag);
const kViewNames = kViewClasses.map(({ name }) => name);
/** The index in {@link kViewClasses} of a view's class; -1 if it is of another. */
export function viewClassOf(view: ArrayBufferView): number {
  if (types.isDataView(view)) return 0;
  const name = toStringTag(view);
  for (let i = 1; i < kViewNames.length; i++) if (kViewNames[i] === name) return i;
  return -1;
}
const viewGetters = <R>(name: string) => {
  const ofTypedArray = getterOf<ArrayBufferView, R>(typedArray, name);
  const ofDataView = getterOf<ArrayBufferView, R>(DataView.prototype, name);
  return (view: ArrayBufferView): R =>
    types.isDataView(view) ? ofDataView(view) : ofTypedArray(view);
};
export const ViewBuffer = viewGetters<ArrayBufferLike>('buffer');
export const ViewByteOffset = viewGetters<number>('byteOffset');
export const TypedArrayLength = getterOf<ArrayBufferView, number>(typedArray, 'length');
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
export const JSONStringify = JSON.stringify.bind(JSON) as (text: string | undefined) => string;
