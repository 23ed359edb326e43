// The tasks of `smoke.mjs`.

module.exports = ({ double, fail, raiseLater, afterMs }) => {
  if (fail !== undefined) throw new RangeError(fail);
  if (raiseLater !== undefined) setTimeout(() => Atomics.store(raiseLater, 0, 1), afterMs);
  return double === undefined ? undefined : 2 * double;
};
