'use strict';
// The error classes of the official packages: 33 names (azure-iot-sdk-node, common/core/src/errors.ts). All our packages share
// these, so `instanceof` works across them.

/** A class whose instances carry their own enumerable `name`, as the official ones do. */
function define(name, ownName = name) {
  const type = {
    [name]: class extends Error {
      constructor(message) {
        super(message);
        this.name = ownName;
        this.message = message;
      }
    },
  }[name];
  return type;
}

/** A class whose second argument is kept as `innerError`. */
function defineWith(member, name) {
  return {
    [name]: class extends Error {
      constructor(message, value) {
        super(message);
        this.name = name;
        this.message = message;
        this[member] = value;
      }
    },
  }[name];
}

const errors = {};
for (const name of [
  'ArgumentError',
  'ArgumentOutOfRangeError',
  'DeviceMaximumQueueDepthExceededError',
  'DeviceNotFoundError',
  'FormatError',
  'UnauthorizedError',
  'NotImplementedError',
  'NotConnectedError',
  'IotHubQuotaExceededError',
  'MessageTooLargeError',
  'InternalServerError',
  'ServiceUnavailableError',
  'IotHubNotFoundError',
  'IoTHubSuspendedError',
  'JobNotFoundError',
  'TooManyDevicesError',
  'ThrottlingError',
  'DeviceAlreadyExistsError',
  'DeviceMessageLockLostError',
  'InvalidEtagError',
  'InvalidOperationError',
  'PreconditionFailedError',
  'TimeoutError',
  'BadDeviceResponseError',
  'GatewayTimeoutError',
  'DeviceTimeoutError',
]) {
  errors[name] = define(name);
}
for (const name of ['CloudToDeviceDetachedError', 'DeviceMethodsDetachedError', 'TwinDetachedError']) {
  errors[name] = defineWith('innerError', name);
}
errors.TwinRequestError = defineWith('transportError', 'TwinRequestError');
errors.OperationCancelledError = define('OperationCancelledError');
errors.DeviceRegistrationFailedError = define('DeviceRegistrationFailedError', 'ProvisioningRegistrationFailedError');
errors.SecurityDeviceError = define('SecurityDeviceError');

module.exports = errors;
