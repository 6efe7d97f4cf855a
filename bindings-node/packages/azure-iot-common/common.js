'use strict';
// The package's table of contents. The last keys are types only in the official package too: they are there, and undefined.

const { anHourFromNow, encodeUriComponentStrict } = require('./lib/text.js');
const { ConnectionString, SharedAccessSignature } = require('./lib/credentials.js');
const { Message } = require('./lib/message.js');
const { RetryOperation, NoRetry, ExponentialBackOffWithJitter } = require('./lib/retry.js');
const promises = require('./lib/promises.js');

/** How a device proves who it is; both ways round, as TypeScript makes enums. */
const AuthenticationType = { 0: 'X509', 1: 'Token', X509: 0, Token: 1 };

module.exports = {
  anHourFromNow,
  encodeUriComponentStrict,
  ConnectionString,
  endpoint: require('./lib/endpoint.js'),
  errors: require('./lib/errors.js'),
  results: require('./lib/results.js'),
  Message,
  SharedAccessSignature,
  RetryOperation,
  NoRetry,
  ExponentialBackOffWithJitter,
  AuthenticationType,
  getAgentPlatformString: require('./lib/platform.js').getAgentPlatformString,
  callbackToPromise: promises.callbackToPromise,
  doubleValueCallbackToPromise: promises.doubleValueCallbackToPromise,
  errorCallbackToPromise: promises.errorCallbackToPromise,
  noErrorCallbackToPromise: promises.noErrorCallbackToPromise,
  tripleValueCallbackToPromise: promises.tripleValueCallbackToPromise,
  httpCallbackToPromise: promises.httpCallbackToPromise,
  ResultWithHttpResponse: undefined,
  RetryPolicy: undefined,
  AuthenticationProvider: undefined,
  Callback: undefined,
  ErrorCallback: undefined,
  NoErrorCallback: undefined,
  DoubleValueCallback: undefined,
  TripleValueCallback: undefined,
  HttpResponseCallback: undefined,
};
