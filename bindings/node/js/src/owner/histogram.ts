// A distribution of whole numbers, in buckets whose width grows with the value.
//
// Between two powers of two lie `2 ** bits` buckets of the same width, so a value is known to
// one part in `2 ** bits`, whatever its size; count, mean, deviation, least and most are exact.
// A row of buckets is made when the first value falls into it: an empty histogram costs next to
// nothing, and a used one some KiB of ordinary arrays, which the garbage collector knows of. The
// runtime's own histograms are memory that it does not know of, so a process that makes many
// keeps them all.
//
// Guarantees: recording never throws. What is no number counts as 1, as does what is less.

import { bareList, MathClz32, MathFloor, MathSqrt } from '../base/intrinsics.js';

const kWord = 2 ** 32;
/** By row: what makes an index of a value in it. The largest value is below 2^53. */
const kScales = new Float64Array(54);
for (let row = 0; row < kScales.length; row++) kScales[row] = 2 ** (1 - row);

export class Histogram {
  readonly #bits: number;
  /** Buckets in a row. */
  readonly #width: number;
  readonly #most: number;
  /** Row 0 has the values below `2 ** bits`; each row after it those of one power of two. */
  #rows: (Float64Array | undefined)[] = bareList();
  #count = 0;
  #mean = 0;
  /** The sum of the squares of what lies between the values and their mean. */
  #squares = 0;
  #min = Infinity;
  #max = 0;

  /** Values above `most` count as `most`, which is at most 2^52. */
  constructor(bits: number, most: number) {
    this.#bits = bits;
    this.#width = 2 ** bits;
    this.#most = most;
  }

  get count(): number {
    return this.#count;
  }

  get mean(): number {
    return this.#mean;
  }

  get min(): number {
    return this.#count === 0 ? 0 : this.#min;
  }

  get max(): number {
    return this.#max;
  }

  get stddev(): number {
    return this.#count === 0 ? 0 : MathSqrt(this.#squares / this.#count);
  }

  record(value: number): void {
    // Written so that NaN is caught as well.
    const at = value >= 1 ? (value < this.#most ? value : this.#most) : 1;
    const whole = MathFloor(at);
    const exponent = exponentOf(whole);
    const row = exponent < this.#bits ? 0 : exponent - this.#bits + 1;
    const bucket = row === 0 ? whole : MathFloor(whole * kScales[row]!) - this.#width;
    const buckets = this.#rows[row] ?? this.#makeRow(row);
    buckets[bucket] = buckets[bucket]! + 1;
    this.#count++;
    const from = whole - this.#mean;
    this.#mean += from / this.#count;
    this.#squares += from * (whole - this.#mean);
    if (whole < this.#min) this.#min = whole;
    if (whole > this.#max) this.#max = whole;
  }

  /** Adds what another with as many bits has recorded. */
  add(other: Histogram): void {
    if (other.#count === 0) return;
    for (let row = 0; row < other.#rows.length; row++) {
      const from = other.#rows[row];
      if (from === undefined) continue;
      const to = this.#rows[row] ?? this.#makeRow(row);
      for (let i = 0; i < from.length; i++) to[i] = to[i]! + from[i]!;
    }
    const count = this.#count + other.#count;
    const apart = other.#mean - this.#mean;
    this.#squares += other.#squares + (apart * apart * this.#count * other.#count) / count;
    this.#mean += (apart * other.#count) / count;
    this.#count = count;
    if (other.#min < this.#min) this.#min = other.#min;
    if (other.#max > this.#max) this.#max = other.#max;
  }

  reset(): void {
    this.#rows = bareList();
    this.#count = 0;
    this.#mean = 0;
    this.#squares = 0;
    this.#min = Infinity;
    this.#max = 0;
  }

  /** The value that so many per cent of the recorded ones do not exceed, as far as buckets tell. */
  percentile(percent: number): number {
    const wanted = (percent / 100) * this.#count;
    let seen = 0;
    for (let row = 0; row < this.#rows.length; row++) {
      const buckets = this.#rows[row];
      if (buckets === undefined) continue;
      for (let i = 0; i < buckets.length; i++) {
        seen += buckets[i]!;
        if (seen >= wanted && seen > 0) return this.#within(this.#highestOf(row, i));
      }
    }
    return this.#max;
  }

  /** The highest value that falls into a bucket. */
  #highestOf(row: number, index: number): number {
    return row === 0 ? index : (index + this.#width + 1) * 2 ** (row - 1) - 1;
  }

  #within(value: number): number {
    return value < this.#min ? this.#min : value > this.#max ? this.#max : value;
  }

  #makeRow(row: number): Float64Array {
    while (this.#rows.length <= row) this.#rows[this.#rows.length] = undefined;
    const buckets = new Float64Array(this.#width);
    this.#rows[row] = buckets;
    return buckets;
  }
}

function exponentOf(whole: number): number {
  return whole < kWord ? 31 - MathClz32(whole) : 63 - MathClz32(whole / kWord);
}
