// The handlers that a pool's tasks name, and how long each is measured to take.
//
// A handler is a file and an export. The owner sends the pair to each worker once, and names it by
// its number from then on. What its runs are expected to take decides how many of its tasks a
// worker gets ahead (see dealer.ts).

import { MathMax, MathMin, now, SafeMap } from '../base/intrinsics.js';
import { noFilename } from '../errors.js';
import { Prospects } from '../wire/carrier.js';

/** Weight of the newest run in the moving average: an eighth, as TCP smooths its round trips. */
const kWeight = 1 / 8;
/** A run is long that takes so many ms, and so many times what the last ones took. */
const kLongMs = 0.01;
const kLongTimes = 16;
/** So many runs are remembered to tell how often they are long. */
const kMemory = 256;
/** Long runs recur from a share on that a single one does not leave, and a second does. */
const kRecurring = 1.5;

/** From so many hops on it is known what one takes; the shortest of them is where it begins. */
const kFirstHops = 4;
/** Of those that come later each 16th is measured: to look at the clock is a part of a hop. */
const kHopMask = 15;

export class Handler {
  /** What a run is expected to take, in ms. It means something once `measured` is true. */
  averageMs = 0;
  measured = false;
  /**
   * Moving average of what its tasks take in a port, in bytes; 0 while they fit into shared memory.
   */
  averageBytes = 0;
  /**
   * What a task's way to an idle worker and back takes beside its run, in ms, its value and result
   * included; 0 until it is known.
   */
  hopMs = 0;
  /** What a task takes on the pool's own thread, copies included, in ms; 0 until one has run. */
  inlineMs = 0;
  /** Tasks that ran on the pool's own thread. */
  inlineRuns = 0;
  /** Of its payloads. */
  readonly prospects = new Prospects();
  /** Moving average of its last runs, lone long ones left out, in ms. */
  #recentMs = 0;
  /** Of all its runs, the last kMemory or so: their mean in ms, and the share of long ones. */
  #meanMs = 0;
  #longShare = 0;
  #runs = 0;
  #hops = 0;
  #leastHopMs = Infinity;
  #wasLong = false;

  constructor(
    readonly index: number,
    readonly url: string,
    readonly exportName: string,
    /** What its tasks carry beside their payload, as bits; 0: nothing. */
    readonly carries = 0,
  ) {}

  /**
   * A lone long run, a pause of the garbage collector say, leaves no trace. Where long ones recur
   * among short ones the mean of many runs counts, however short the last few were: whoever is put
   * behind a long one waits for all of it. Two in a row are the new measure.
   */
  measure(runMs: number): void {
    const isLong = runMs > kLongMs && runMs > kLongTimes * this.#recentMs;
    const weight = MathMax(1 / kMemory, 1 / ++this.#runs);
    this.#meanMs += (runMs - this.#meanMs) * weight;
    this.#longShare += ((isLong ? 1 : 0) - this.#longShare) * weight;
    const recurs = this.#longShare >= kRecurring * weight;
    // The first may have loaded and compiled what the second has ready.
    if (this.#runs === 1) this.#recentMs = runMs;
    else if (this.#runs === 2) this.#recentMs = MathMin(this.#recentMs, runMs);
    else if (!isLong || this.#wasLong) this.#recentMs += (runMs - this.#recentMs) * kWeight;
    this.averageMs = recurs ? MathMax(this.#recentMs, this.#meanMs) : this.#recentMs;
    this.#wasLong = isLong;
    this.measured = true;
  }

  /** A hop has ended that began at `sinceMs`, its run left out. */
  lookAtHop(sinceMs: number): void {
    if (this.#hops < kFirstHops || (this.#runs & kHopMask) === 0) this.#measureHop(now() - sinceMs);
  }

  /** The first ones may have waited for a worker to start. */
  #measureHop(hopMs: number): void {
    if (hopMs <= 0) return;
    this.#leastHopMs = MathMin(hopMs, this.#leastHopMs);
    if (++this.#hops < kFirstHops) return;
    if (this.#hops === kFirstHops) this.hopMs = this.#leastHopMs;
    else this.hopMs += (hopMs - this.hopMs) * kWeight;
  }

  measureInline(ms: number): void {
    this.inlineMs += this.inlineMs === 0 ? ms : (ms - this.inlineMs) * kWeight;
  }

  measureBytes(bytes: number): void {
    if (bytes !== this.averageBytes) this.averageBytes += (bytes - this.averageBytes) * kWeight;
    // Under a byte it is that of tasks that have gone by.
    if (this.averageBytes < 1) this.averageBytes = 0;
  }
}

export class HandlerTable {
  readonly #byKey = new SafeMap<string, Handler>();
  readonly #defaultUrl: string | null;
  readonly #defaultName: string;
  readonly #default: Handler | null;
  /** Called with each file, as a URL, when the first of its handlers is asked for. */
  onFile: ((url: string) => void) | null = null;

  constructor(url: string | null, name: string) {
    this.#defaultUrl = url;
    this.#defaultName = name;
    this.#default = url === null ? null : this.#find(url, name, 0);
  }

  /** The handler that each worker loads when it starts, so that the first task need not wait. */
  get preload(): Handler | null {
    return this.#default;
  }

  /**
   * The handler of a call. `undefined` stands for what the pool was made with. `carries`: the same
   * export as a handler of its own, whose tasks carry something beside their payload.
   */
  resolve(url: string | undefined, name: string | undefined, carries = 0): Handler {
    if (url === undefined && name === undefined && this.#default !== null && carries === 0)
      return this.#default;
    const file = url ?? this.#defaultUrl;
    if (file === null) throw noFilename();
    return this.#find(file, name ?? this.#defaultName, carries);
  }

  forEach(call: (handler: Handler) => void): void {
    this.#byKey.forEach(call);
  }

  #find(url: string, name: string, carries: number): Handler {
    const key = `${carries} ${name}\0${url}`;
    let handler = this.#byKey.get(key);
    if (handler === undefined) {
      handler = new Handler(this.#byKey.size, url, name, carries);
      this.#byKey.set(key, handler);
      this.onFile?.(url);
    }
    return handler;
  }
}
