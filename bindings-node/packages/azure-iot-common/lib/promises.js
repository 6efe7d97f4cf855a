'use strict';
// One operation, two ways to hear its end: with a callback it calls it, and argument errors are thrown; without one it
// returns a promise, and they reject.

function requireFunction(callback) {
  if (typeof callback !== 'function') throw new TypeError('Callback has to be a Function');
}

/** Operations that end with `(error, result)`. */
function callbackToPromise(operation, userCallback) {
  if (userCallback) {
    requireFunction(userCallback);
    return operation(userCallback);
  }
  return new Promise((resolve, reject) => {
    operation((error, result) => (error ? reject(error) : resolve(result)));
  });
}

/** Operations that end with `(error)`. */
function errorCallbackToPromise(operation, userCallback) {
  return callbackToPromise(operation, userCallback);
}

/** Operations that end with `(result)` and cannot fail. */
function noErrorCallbackToPromise(operation, userCallback) {
  if (userCallback) {
    requireFunction(userCallback);
    return operation(userCallback);
  }
  return new Promise((resolve) => operation(resolve));
}

/** Operations that end with `(value1, value2)`, either of which may be an error; `packResults` makes one of two. */
function doubleValueCallbackToPromise(operation, packResults, userCallback) {
  if (userCallback) {
    requireFunction(userCallback);
    return operation(userCallback);
  }
  return new Promise((resolve, reject) => {
    operation((value1, value2) => {
      const error = [value1, value2].find((value) => value instanceof Error);
      if (error) reject(error);
      else resolve(packResults(value1, value2));
    });
  });
}

/** Operations that end with `(error, value1, value2)`; `packResults` makes one of two. */
function tripleValueCallbackToPromise(operation, packResults, userCallback) {
  if (userCallback) {
    requireFunction(userCallback);
    return operation(userCallback);
  }
  return new Promise((resolve, reject) => {
    operation((error, value1, value2) => (error ? reject(error) : resolve(packResults(value1, value2))));
  });
}

/** Operations that end with `(error, body, response)`. */
function httpCallbackToPromise(operation, userCallback) {
  return tripleValueCallbackToPromise(
    operation,
    (responseBody, httpResponse) => ({ responseBody, httpResponse }),
    userCallback,
  );
}

module.exports = {
  callbackToPromise,
  errorCallbackToPromise,
  noErrorCallbackToPromise,
  doubleValueCallbackToPromise,
  tripleValueCallbackToPromise,
  httpCallbackToPromise,
};
