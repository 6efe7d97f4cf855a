'use strict';
// Small text and time: encoding, `name=value` lists, the usual expiry.

/** Seconds since 1970, one hour from now, rounded up. */
function anHourFromNow() {
  return Math.ceil(Date.now() / 1000 + 3600);
}

/** `encodeURIComponent`, and `!'()*` too. */
function encodeUriComponentStrict(text) {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => '%' + c.charCodeAt(0).toString(16));
}

/** `name=value` pairs between separators; the last of equal names counts, pairs without name or value do not. */
function createDictionary(source, separator) {
  const found = {};
  for (const pair of String(source).split(separator)) {
    const at = pair.indexOf('=');
    // `defineProperty`, so that a pair named `__proto__` is a pair like any other.
    if (at > 0 && at < pair.length - 1) {
      const value = pair.slice(at + 1);
      Object.defineProperty(found, pair.slice(0, at), { value, writable: true, enumerable: true, configurable: true });
    }
  }
  return found;
}

module.exports = { anHourFromNow, encodeUriComponentStrict, createDictionary };
