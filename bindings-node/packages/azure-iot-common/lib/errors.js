'use strict';
// The error classes of the official packages: 33 names (azure-iot-sdk-node, common/core/src/errors.ts). All our packages share
// these, so `instanceof` works across them.

/** A class whose instances carry their own enumerable `name`, as the official ones do. */
function define(name, ownName = name) {
  return {
    [name]: class extends Error {
      constructor(message) {
        super(message);
        this.name = ownName;
        this.message = message;
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
  'CloudToDeviceDetachedError',
  'DeviceMethodsDetachedError',
  'TwinDetachedError',
  'TwinRequestError',
  'OperationCancelledError',
  'SecurityDeviceError',
]) {
  errors[name] = define(name);
}
errors.DeviceRegistrationFailedError = define('DeviceRegistrationFailedError', 'ProvisioningRegistrationFailedError');

module.exports = errors;
