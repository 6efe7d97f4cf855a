'use strict';
// When to try again: the official policies, their arithmetic included, and the operation that asks one.

const { ThrottlingError } = require('./errors.js');
const debug = require('./debug.js')('azure-iot-common:RetryOperation');

/** Errors that the official filter does not list. */
const UNLISTED = new Set([
  'CloudToDeviceDetachedError',
  'DeviceMethodsDetachedError',
  'TwinDetachedError',
  'OperationCancelledError',
  'DeviceRegistrationFailedError',
  'SecurityDeviceError',
]);

/** By the name of the error: whether trying again can help (retry_error_filter.ts). What is not listed is final. */
class DefaultErrorFilter {
  constructor() {
    for (const name of Object.keys(require('./errors.js'))) {
      if (!UNLISTED.has(name)) this[name] = false;
    }
    for (const name of [
      'NotConnectedError',
      'InternalServerError',
      'ServiceUnavailableError',
      'ThrottlingError',
      'TimeoutError',
    ]) {
      this[name] = true;
    }
  }
}

class ExponentialBackOffWithJitter {
  constructor(immediateFirstRetry, errorFilter) {
    this._errorFilter = errorFilter || new DefaultErrorFilter();
    this.immediateFirstRetry = immediateFirstRetry !== false;
    // Milliseconds, but for ju and jd: the jitter's bounds.
    this.normalParameters = { c: 100, cMin: 100, cMax: 10000, ju: 0.25, jd: 0.5 };
    this.throttledParameters = { c: 5000, cMin: 10000, cMax: 60000, ju: 0.25, jd: 0.5 };
  }

  nextRetryTimeout(retryCount, isThrottled) {
    if (this.immediateFirstRetry && retryCount === 0 && !isThrottled) return 0;
    const { c, cMin, cMax, ju, jd } = isThrottled ? this.throttledParameters : this.normalParameters;
    const jitter = Math.random() * c * (jd - ju);
    return Math.min(cMin + (2 ** (retryCount - 1) - 1) * jitter, cMax);
  }

  shouldRetry(error) {
    return this._errorFilter[error.name];
  }
}

class NoRetry {
  nextRetryTimeout() {
    return -1;
  }

  shouldRetry() {
    return false;
  }
}

let operations = 0;

/** One operation, tried as a policy says, for at most `maxTimeout` milliseconds. */
class RetryOperation {
  constructor(name, policy, maxTimeout) {
    this._retryCount = 0;
    this._name = name;
    this._id = operations++;
    this._policy = policy;
    this._maxTimeout = maxTimeout;
  }

  retry(operation, finalCallback) {
    this._operationExpiryTime = Date.now() + this._maxTimeout;
    const attempt = () => {
      this._retryCount++;
      operation((error, result, response) => {
        if (!error) return finalCallback(null, result, response);
        const wait = this._wait(error);
        if (wait === undefined) return finalCallback(error);
        debug(`${this._name}:${this._id} tries again in ${Math.round(wait)} ms: ${error}`);
        setTimeout(attempt, wait);
      });
    };
    attempt();
  }

  /** Milliseconds until the next attempt, or undefined. */
  _wait(error) {
    if (!this._policy.shouldRetry(error)) return undefined;
    const wait = this._policy.nextRetryTimeout(this._retryCount, error instanceof ThrottlingError);
    return Date.now() >= this._operationExpiryTime || wait < 0 ? undefined : wait;
  }
}

module.exports = { DefaultErrorFilter, ExponentialBackOffWithJitter, NoRetry, RetryOperation };
