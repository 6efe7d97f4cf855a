'use strict';
// Lines for a person who debugs, on stderr: `DEBUG=azure-iot-device*` and friends, with the patterns of the `debug` package
// (names between commas, `*` for anything, `-` before what to leave out).

const patterns = (process.env.DEBUG || '')
  .split(/[\s,]+/)
  .filter(Boolean)
  .map((text) => {
    const leaveOut = text.startsWith('-');
    const name = (leaveOut ? text.slice(1) : text).replace(/[.+?^${}()|[\]\\]/g, '\\$&').replace(/\*/g, '.*');
    return { leaveOut, match: new RegExp(`^${name}$`) };
  });

function isWanted(namespace) {
  const matching = patterns.filter(({ match }) => match.test(namespace));
  return matching.length > 0 && !matching.some(({ leaveOut }) => leaveOut);
}

/** A function that prints its text when `namespace` is wanted; `enabled` tells, where making the text costs. */
function debug(namespace) {
  const enabled = patterns.length > 0 && isWanted(namespace);
  const print = enabled
    ? (text) => process.stderr.write(`${new Date().toISOString()} ${namespace} ${text}\n`)
    : () => {};
  print.enabled = enabled;
  return print;
}

module.exports = debug;
