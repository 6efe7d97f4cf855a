'use strict';
// The package's table of contents. The last keys are types only in the official package too: they are there, and undefined.

const { anHourFromNow, encodeUriComponentStrict } = require('./lib/text.js');
const { ConnectionString, SharedAccessSignature } = require('./lib/credentials.js');
const { Message } = require('./lib/message.js');
const { RetryOperation, NoRetry, ExponentialBackOffWithJitter } = require('./lib/retry.js');
const promises = require('./lib/promises.js');

/** How a device proves who it is; both ways round, as TypeScript makes enums. */
const AuthenticationType = { 0: 'X509', 1: 'Token', X509: 0, Token: 1 };

// One assignment for each name: that is how `import { name }` of ES modules finds them.
exports.anHourFromNow = anHourFromNow;
exports.encodeUriComponentStrict = encodeUriComponentStrict;
exports.ConnectionString = ConnectionString;
exports.endpoint = require('./lib/endpoint.js');
exports.errors = require('./lib/errors.js');
exports.results = require('./lib/results.js');
exports.Message = Message;
exports.SharedAccessSignature = SharedAccessSignature;
exports.RetryOperation = RetryOperation;
exports.NoRetry = NoRetry;
exports.ExponentialBackOffWithJitter = ExponentialBackOffWithJitter;
exports.AuthenticationType = AuthenticationType;
exports.getAgentPlatformString = require('./lib/platform.js').getAgentPlatformString;
exports.callbackToPromise = promises.callbackToPromise;
exports.doubleValueCallbackToPromise = promises.doubleValueCallbackToPromise;
exports.errorCallbackToPromise = promises.errorCallbackToPromise;
exports.noErrorCallbackToPromise = promises.noErrorCallbackToPromise;
exports.tripleValueCallbackToPromise = promises.tripleValueCallbackToPromise;
exports.httpCallbackToPromise = promises.httpCallbackToPromise;
exports.ResultWithHttpResponse = undefined;
exports.RetryPolicy = undefined;
exports.AuthenticationProvider = undefined;
exports.Callback = undefined;
exports.ErrorCallback = undefined;
exports.NoErrorCallback = undefined;
exports.DoubleValueCallback = undefined;
exports.TripleValueCallback = undefined;
exports.HttpResponseCallback = undefined;
