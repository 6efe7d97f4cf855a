// The error that a refusal of the REST interface becomes.
'use strict';

const { errors } = require('azure-iot-common');

/** Classes by status (azure-iothub, src/common-http/rest_api_client.ts, translateError). 404 depends on the hub's code. */
const BY_STATUS = {
  400: errors.ArgumentError,
  401: errors.UnauthorizedError,
  403: errors.TooManyDevicesError,
  408: errors.DeviceTimeoutError,
  409: errors.DeviceAlreadyExistsError,
  412: errors.InvalidEtagError,
  429: errors.ThrottlingError,
  500: errors.InternalServerError,
  502: errors.BadDeviceResponseError,
  503: errors.ServiceUnavailableError,
  504: errors.GatewayTimeoutError,
};

const NOT_FOUND = { DeviceNotFound: errors.DeviceNotFoundError, IotHubNotFound: errors.IotHubNotFoundError };

/** Statuses after which the same request may go better later, and those after which nobody knows whether it was done. */
const RETRYABLE = new Set([408, 429, 500, 502, 503, 504]);
const UNKNOWN = new Set([500, 502, 504]);

/** The error for an answer that is a refusal. */
function refusal(response, body) {
  const { code, text } = read(body);
  const named = code && text;
  const error = classified(response.statusCode, named ? code : undefined, named ? text : `Error: ${body}`);
  error.response = response;
  error.responseBody = body;
  error.retryable = RETRYABLE.has(response.statusCode);
  error.delivery = response.statusCode >= 500 && UNKNOWN.has(response.statusCode) ? 'Unknown' : 'Refused';
  error.statusCode = response.statusCode;
  const errorCode = response.headers['iothub-errorcode'] ?? code;
  if (errorCode) error.errorCode = errorCode;
  const trackingId = /Tracking ID:([^-"\s]+)/i.exec(body) ?? /"trackingId\\?":\s*\\?"([^"\\]+)/i.exec(body);
  if (trackingId) error.trackingId = trackingId[1];
  const seconds = Number(response.headers['retry-after']);
  if (seconds > 0) error.retryAfterMs = seconds * 1000;
  return error;
}

function classified(status, code, message) {
  if (status === 404) return NOT_FOUND[code] ? new NOT_FOUND[code](message) : new Error('Not found');
  return new (BY_STATUS[status] ?? Error)(message);
}

/** `{"Message":"ErrorCode:<code>;<text>"}`: the code, and all of the text, which can have semicolons of its own. */
function read(body) {
  try {
    const [head, ...text] = JSON.parse(body).Message.split(';');
    return { code: head.split(':')[1], text: text.join(';') };
  } catch {
    // Of another form, or none: the whole body is the message.
    return {};
  }
}

module.exports = { refusal };
