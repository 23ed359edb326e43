// Validation of results: a pool that answers fast and wrong must not get a figure.

/** Thrown where a pool's answer is not what the task must return. */
export class InvalidResult extends Error {
  name = 'InvalidResult';
}

/** Throws `InvalidResult` unless `got` is `wanted`. */
export function checkSame(got, wanted, what) {
  if (got !== wanted) throw new InvalidResult(`${what}: got ${String(got)}, not ${String(wanted)}`);
}
