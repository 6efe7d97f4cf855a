'use strict';
// Which official class an error of the native side is. The native side tells a kind and facts; the class depends on these and
// on where the official packages would have met it.

const errors = require('./errors.js');

/** Every kind of `twin_core::ErrorKind`, and the class that it is without further facts. */
const BY_KIND = {
  InvalidArgument: errors.ArgumentError,
  Closed: errors.OperationCancelledError,
  Cancelled: errors.OperationCancelledError,
  Unauthorized: errors.UnauthorizedError,
  Forbidden: errors.InvalidOperationError,
  NotFound: errors.DeviceNotFoundError,
  AlreadyExists: errors.DeviceAlreadyExistsError,
  PreconditionFailed: errors.PreconditionFailedError,
  Rejected: errors.FormatError,
  TooLarge: errors.MessageTooLargeError,
  Throttled: errors.ThrottlingError,
  Unavailable: errors.ServiceUnavailableError,
  Timeout: errors.TimeoutError,
  Network: errors.NotConnectedError,
  // The official MQTT transport says the same of a certificate that it does not trust (mqtt.ts, first connection).
  Tls: errors.UnauthorizedError,
  Protocol: errors.InternalServerError,
  NotSupported: errors.NotImplementedError,
  Storage: errors.InternalServerError,
  Internal: Error,
};

/** device/core/src/twin_errors.ts: the official table for answers to twin requests, which its transports hardly use. */
const BY_STATUS = {
  400: errors.FormatError,
  401: errors.UnauthorizedError,
  403: errors.InvalidOperationError,
  404: errors.DeviceNotFoundError,
  413: errors.MessageTooLargeError,
  429: errors.ThrottlingError,
  500: errors.InternalServerError,
  503: errors.ServiceUnavailableError,
  504: errors.TimeoutError,
};

/** The hub's own codes, where they say more than the status (common/transport/amqp/src/amqp_common_errors.ts). */
const BY_CODE = {
  IotHubQuotaExceeded: errors.IotHubQuotaExceededError,
  IotHubSuspended: errors.IoTHubSuspendedError,
  IotHubNotFound: errors.IotHubNotFoundError,
};

/** Kinds of which the official MQTT transport keeps what the connection said, as `transportError`. */
const ABOUT_CONNECTIONS = new Set(['Unauthorized', 'Network', 'Tls', 'Unavailable']);

/** The class of a failure. */
function classOf(failure) {
  return BY_CODE[failure.codeName] ?? BY_STATUS[failure.status] ?? BY_KIND[failure.kind] ?? Error;
}

/** Where to give a CA certificate (twin-transport, tls.rs), and where in Node. */
const RUST_ADVICE = '(--ca-file, SSL_CERT_FILE, option extra_ca_pem)';
const NODE_ADVICE = '(setOptions({ca}), NODE_EXTRA_CA_CERTS, SSL_CERT_FILE)';

/** An error as the official packages would give it, with what else is known about it as members. */
function toError(failure) {
  const error = new (classOf(failure))(failure.message.replace(RUST_ADVICE, NODE_ADVICE));
  for (const fact of ['retryable', 'delivery', 'trackingId', 'retryAfterMs']) {
    if (failure[fact] !== undefined) error[fact] = failure[fact];
  }
  if (failure.status !== undefined) error.statusCode = failure.status;
  if (failure.codeName !== undefined) error.errorCode = failure.codeName;
  // As on Node's own errors: ECONNREFUSED, ENOTFOUND and so on.
  const code = systemCode(failure);
  if (code) error.code = code;
  // Without a cause of its own, a refused or lost connection is one.
  const reason = failure.cause ?? (ABOUT_CONNECTIONS.has(failure.kind) && failure.status === undefined ? failure.message : undefined);
  if (reason !== undefined) {
    const cause = Object.assign(new Error(reason), code && { code });
    Object.defineProperty(error, 'transportError', { value: cause, configurable: true, writable: true });
  }
  return error;
}

function systemCode(failure) {
  if (failure.os === undefined) return undefined;
  if (typeof failure.os === 'string') return failure.os;
  return Object.entries(require('os').constants.errno).find(([, number]) => number === failure.os)?.[0];
}

module.exports = { BY_KIND, classOf, toError };
