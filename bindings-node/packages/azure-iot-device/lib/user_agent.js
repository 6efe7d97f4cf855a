'use strict';
// What the client calls itself.

const { getAgentPlatformString, noErrorCallbackToPromise } = require('azure-iot-common');
const { name, version } = require('../package.json');

/** `([productInfo], [callback])`: `azure-iot-device/1.99.0 (node v20.0.0; Debian 12; x64)` and the user's text behind it. */
function getUserAgentString(productInfoOrDone, doneOrNone) {
  const isCallback = typeof productInfoOrDone === 'function';
  const productInfo = isCallback || !productInfoOrDone ? '' : productInfoOrDone;
  if (typeof productInfo !== 'string') throw new TypeError("Error: productInfo must be of type 'string'");
  return noErrorCallbackToPromise(
    (callback) => getAgentPlatformString((platform) => callback(`${name}/${version} (${platform})${productInfo}`)),
    isCallback ? productInfoOrDone : doneOrNone,
  );
}

module.exports = { getUserAgentString };
