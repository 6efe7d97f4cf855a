'use strict';
// JSON merge patches on plain values, as the hub applies them: null removes, objects recurse, everything else (arrays too)
// replaces.

function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Sets a member, also one that is named `__proto__`. */
function set(target, key, value) {
  if (key === '__proto__') {
    Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
  } else {
    target[key] = value;
  }
}

/** The own member `key`, whatever the prototype has. */
function own(object, key) {
  return Object.prototype.hasOwnProperty.call(object, key) ? object[key] : undefined;
}

/** Applies `patch`, which comes from JSON, to `target` in place. */
function merge(target, patch) {
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete target[key];
    else if (!isObject(value)) set(target, key, value);
    else if (isObject(own(target, key))) merge(own(target, key), value);
    else set(target, key, merge({}, value));
  }
  return target;
}

/** The patch that leads from `before` to `after`; empty if nothing changed. */
function diff(before, after) {
  const patch = {};
  for (const key of Object.keys(before)) {
    if (own(after, key) === undefined) set(patch, key, null);
  }
  for (const [key, value] of Object.entries(after)) {
    const old = own(before, key);
    if (isObject(old) && isObject(value)) {
      const inner = diff(old, value);
      if (Object.keys(inner).length > 0) set(patch, key, inner);
    } else if (old === undefined || JSON.stringify(old) !== JSON.stringify(value)) {
      set(patch, key, value);
    }
  }
  return patch;
}

module.exports = { merge, diff };
