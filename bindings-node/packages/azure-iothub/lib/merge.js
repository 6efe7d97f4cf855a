// Deep merging, as identities and twins are filled from what the hub or the caller says.
'use strict';

/** Deepest nesting that is followed. A hub's documents have ten levels at most. */
const MAX_DEPTH = 1000;

const isPlain = (value) => {
  if (value === null || typeof value !== 'object') return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
};

const copy = (value, depth) => {
  if (Array.isArray(value)) return value.map((item) => copy(item, depth + 1));
  return isPlain(value) ? merge({}, value, depth + 1) : value;
};

/**
 * Puts copies of `source`'s members into `target`: objects member by member, everything else whole. Members that are
 * undefined do not replace; one named `__proto__` is left out. Instances of classes are taken as they are.
 */
function merge(target, source, depth = 0) {
  if (depth > MAX_DEPTH) throw new RangeError(`nested deeper than ${MAX_DEPTH} levels, or in itself`);
  for (const name of Object.keys(source)) {
    if (name === '__proto__') continue;
    const value = source[name];
    if (isPlain(value) && isPlain(target[name])) merge(target[name], value, depth + 1);
    else if (value !== undefined || !(name in target)) target[name] = copy(value, depth);
  }
  return target;
}

module.exports = { merge };
