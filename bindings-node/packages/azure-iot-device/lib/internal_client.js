'use strict';
// What clients of devices and of modules have in common: life cycle, options, twin, retry policy.

const { EventEmitter } = require('events');
const fs = require('fs');
const {
  ConnectionString,
  ExponentialBackOffWithJitter,
  RetryOperation,
  callbackToPromise,
  errors,
  results,
} = require('azure-iot-common');
const debug = require('azure-iot-common/lib/debug.js')('azure-iot-device:InternalClient');
const {
  SharedAccessKeyAuthenticationProvider,
  SharedAccessSignatureAuthenticationProvider,
  X509AuthenticationProvider,
} = require('./providers.js');
const { Twin } = require('./twin.js');

/** Longest an operation is tried again, in milliseconds. */
const MAX_OPERATION_TIMEOUT = 240000;

class InternalClient extends EventEmitter {
  constructor(transport, connStr) {
    if (!transport) throw new ReferenceError(`transport is '${transport}'`);
    super();
    if (connStr) {
      throw new errors.InvalidOperationError(
        'the connectionString parameter of the constructor is not used - ' +
          'users of the SDK should be using the `fromConnectionString` factory method.',
      );
    }
    this._transport = transport;
    this._retryPolicy = new ExponentialBackOffWithJitter();
    this._maxOperationTimeout = MAX_OPERATION_TIMEOUT;
    transport.followRetryPolicy?.({ policy: () => this._retryPolicy, limit: () => this._maxOperationTimeout });
    transport.on('error', (error) => debug(`transport error: ${error}`));
    transport.on('connected', () => this.emit('connect'));
    this._disconnectHandler = (error) => this._onDisconnect(error);
    transport.on('disconnect', this._disconnectHandler);
  }

  _onDisconnect(error) {
    debug(`disconnected: ${error ?? 'no error'}`);
    // A native session says so only when it does not come back by itself.
    const comesBack = error && !this._transport.followRetryPolicy && this._retryPolicy.shouldRetry(error);
    if (!comesBack) return this.emit('disconnect', new results.Disconnected(error));
    if (this._twin?.userRegisteredDesiredPropertiesListener) {
      this._twin.enableTwinDesiredPropertiesUpdates((problem) => {
        if (problem) this.emit('disconnect', new results.Disconnected(problem));
      });
    }
  }

  /** Runs an operation of the transport; tries it again here only if the transport does not do so itself. */
  _retry(name, operation, done) {
    if (this._transport.followRetryPolicy) return operation((error, result) => done(error, result));
    new RetryOperation(name, this._retryPolicy, this._maxOperationTimeout).retry(operation, done);
  }

  open(callback) {
    return callbackToPromise((done) => {
      this._retry(
        'open',
        (end) => this._transport.connect(end),
        (error, result) => done(error, result),
      );
    }, callback);
  }

  close(callback) {
    return callbackToPromise((done) => {
      this._transport.disconnect((error, result) => done(error, result));
    }, callback);
  }

  sendEvent(message, callback) {
    return this._operate('sendEvent', (end) => this._transport.sendEvent(message, end), callback);
  }

  /** In one request over HTTPS; over MQTT and AMQP not implemented, as in the official package. */
  sendEventBatch(messages, callback) {
    return this._operate('sendEventBatch', (end) => this._transport.sendEventBatch(messages, end), callback);
  }

  complete(message, callback) {
    return this._settle('complete', message, callback);
  }

  reject(message, callback) {
    return this._settle('reject', message, callback);
  }

  abandon(message, callback) {
    return this._settle('abandon', message, callback);
  }

  _settle(how, message, callback) {
    return callbackToPromise((done) => {
      if (!message) throw new ReferenceError(`message is '${message}'`);
      this._retry(how, (end) => this._transport[how](message, end), (error, result) => done(error, result));
    }, callback);
  }

  _operate(name, operation, callback) {
    return callbackToPromise((done) => {
      this._retry(name, operation, (error, result) => done(error, result));
    }, callback);
  }

  getTwin(callback) {
    return callbackToPromise((done) => {
      this._twin ??= new Twin(this._transport, this._retryPolicy, this._maxOperationTimeout);
      this._twin.get(done);
    }, callback);
  }

  /** No promise, as in the official package: only a callback, and that is optional. */
  updateSharedAccessSignature(sharedAccessSignature, callback) {
    if (!sharedAccessSignature) throw new ReferenceError('sharedAccessSignature is falsy');
    this._retry(
      'updateSharedAccessSignature',
      (end) => this._transport.updateSharedAccessSignature(sharedAccessSignature, end),
      (error, result) => {
        if (!error) this.emit('_sharedAccessSignatureUpdated');
        if (callback) callback(error, result);
      },
    );
  }

  setOptions(options, callback) {
    if (!options) throw new ReferenceError('options cannot be falsy.');
    return callbackToPromise((done) => {
      if (!options.ca) return this._invokeSetOptions(options, done);
      // `ca` is a file's name, or else the text itself.
      fs.readFile(options.ca, 'utf8', (error, text) => {
        this._invokeSetOptions(error ? options : { ...options, ca: text }, done);
      });
    }, callback);
  }

  _invokeSetOptions(options, done) {
    this._retry(
      '_invokeSetOptions',
      (end) => this._transport.setOptions(options, end),
      (error) => done(error),
    );
  }

  /** Deprecated in the official package: options of the HTTP transport. */
  setTransportOptions(options, callback) {
    return callbackToPromise((done) => {
      if (!options) throw new ReferenceError('options cannot be falsy.');
      if (typeof this._transport.setOptions !== 'function') {
        throw new errors.NotImplementedError('setOptions does not exist on this transport');
      }
      this._retry(
        'setTransportOptions',
        (end) => this._transport.setOptions({ http: { receivePolicy: options } }, end),
        (error) => (error ? done(error) : done(null, new results.TransportConfigured())),
      );
    }, callback);
  }

  setRetryPolicy(policy) {
    if (!policy) throw new ReferenceError(`'policy' cannot be '${policy}'`);
    if (typeof policy.shouldRetry !== 'function' || typeof policy.nextRetryTimeout !== 'function') {
      throw new errors.ArgumentError(
        'A policy object must have a maxTimeout property that is a number and a nextRetryTimeout method.',
      );
    }
    this._retryPolicy = policy;
    this._twin?.setRetryPolicy(policy);
    this._transport.retryPolicyChanged?.();
  }
}

InternalClient.sasRenewalInterval = 2700000;

/** The provider for a connection string: key, then signature, then certificate, as the official clients choose. */
function providerFor(connStr) {
  const parts = ConnectionString.parse(connStr);
  if (parts.SharedAccessKey) return SharedAccessKeyAuthenticationProvider.fromConnectionString(connStr);
  if (parts.SharedAccessSignature) {
    const provider = SharedAccessSignatureAuthenticationProvider.fromSharedAccessSignature(parts.SharedAccessSignature);
    if (parts.GatewayHostName) provider._credentials.gatewayHostName = parts.GatewayHostName;
    return provider;
  }
  const { HostName: host, DeviceId: deviceId, GatewayHostName: gatewayHostName } = parts;
  return new X509AuthenticationProvider({ host, deviceId, ...(gatewayHostName && { gatewayHostName }) });
}

/** Adds the three factories that both clients have. */
function addFactories(Client, providerOf) {
  Client.fromConnectionString = function fromConnectionString(connStr, transportCtor) {
    if (!connStr) throw new ReferenceError(`connStr is '${connStr}'`);
    return new Client(new transportCtor(providerOf(connStr)));
  };
  Client.fromSharedAccessSignature = function fromSharedAccessSignature(sharedAccessSignature, transportCtor) {
    if (!sharedAccessSignature) throw new ReferenceError(`sharedAccessSignature is '${sharedAccessSignature}'`);
    const provider = SharedAccessSignatureAuthenticationProvider.fromSharedAccessSignature(sharedAccessSignature);
    return new Client(new transportCtor(provider));
  };
  Client.fromAuthenticationProvider = function fromAuthenticationProvider(authenticationProvider, transportCtor) {
    if (!authenticationProvider) {
      throw new ReferenceError(`authenticationMethod cannot be '${authenticationProvider}'`);
    }
    if (!transportCtor) throw new ReferenceError(`transportCtor cannot be '${transportCtor}'`);
    return new Client(new transportCtor(authenticationProvider));
  };
}

module.exports = { InternalClient, addFactories, providerFor };
