'use strict';
// Authentication providers: where a transport gets a device's credentials from. Users write their own, too.

const { EventEmitter } = require('events');
const {
  AuthenticationType,
  ConnectionString,
  SharedAccessSignature,
  callbackToPromise,
  encodeUriComponentStrict,
  errors,
} = require('azure-iot-common');

/** What `console.log` shows of a provider: whose credentials, and none of them. */
const INSPECT = Symbol.for('nodejs.util.inspect.custom');
function shown(_depth, options, inspect) {
  const { host, deviceId, moduleId } = this._credentials ?? {};
  return `${this.constructor.name} ${inspect({ host, deviceId, ...(moduleId && { moduleId }) }, options)}`;
}

/**
 * Makes tokens from a key. A native transport takes the key itself and renews in time (`keyOf`); for a transport of the
 * user's own this keeps a timer and emits `newTokenAvailable`.
 */
class SharedAccessKeyAuthenticationProvider extends EventEmitter {
  constructor(credentials, tokenValidTimeInSeconds, tokenRenewalMarginInSeconds) {
    super();
    this.type = AuthenticationType.Token;
    this._credentials = credentials;
    this._setTimes(tokenValidTimeInSeconds || 3600, tokenRenewalMarginInSeconds || 900);
  }

  _setTimes(valid, margin) {
    if (valid <= margin) {
      throw new errors.ArgumentError('tokenRenewalMarginInSeconds must be less than tokenValidTimeInSeconds');
    }
    this._tokenValidTimeInSeconds = valid;
    this._tokenRenewalMarginInSeconds = margin;
  }

  setTokenRenewalValues(tokenValidTimeInSeconds, tokenRenewalMarginInSeconds) {
    this._setTimes(tokenValidTimeInSeconds, tokenRenewalMarginInSeconds);
    if (this._renewalTimeout) this._expiryTimerHandler();
  }

  getDeviceCredentials(callback) {
    return callbackToPromise((done) => {
      if (!this._shouldRenewToken()) return done(null, this._credentials);
      this._renewToken((error, credentials) => {
        if (error) return done(error);
        this._scheduleNextExpiryTimeout();
        done(null, credentials);
      });
    }, callback);
  }

  stop() {
    if (!this._renewalTimeout) return;
    clearTimeout(this._renewalTimeout);
    this._renewalTimeout = null;
    this._currentTokenExpiryTimeInSeconds = undefined;
  }

  /** Overridden by providers that have no key but can sign. */
  _sign(resourceUri, expiry, callback) {
    const { sharedAccessKeyName, sharedAccessKey } = this._credentials;
    const token = SharedAccessSignature.create(resourceUri, sharedAccessKeyName, sharedAccessKey, expiry);
    callback(null, token.toString());
  }

  _shouldRenewToken() {
    const left = this._currentTokenExpiryTimeInSeconds - Math.floor(Date.now() / 1000);
    return isNaN(left) || left < this._tokenRenewalMarginInSeconds;
  }

  _renewToken(callback) {
    const expiry = Math.floor(Date.now() / 1000) + this._tokenValidTimeInSeconds;
    const { host, deviceId, moduleId } = this._credentials;
    const resource = `${host}/devices/${deviceId}${moduleId ? `/modules/${moduleId}` : ''}`;
    this._sign(encodeUriComponentStrict(resource), expiry, (error, signature) => {
      if (error) return callback(error);
      this._currentTokenExpiryTimeInSeconds = expiry;
      this._credentials.sharedAccessSignature = signature;
      callback(null, this._credentials);
    });
  }

  _expiryTimerHandler() {
    this._renewToken((error) => {
      if (error) return this.emit('error', error);
      this._scheduleNextExpiryTimeout();
      this.emit('newTokenAvailable', this._credentials);
    });
  }

  _scheduleNextExpiryTimeout() {
    clearTimeout(this._renewalTimeout);
    const wait = (this._tokenValidTimeInSeconds - this._tokenRenewalMarginInSeconds) * 1000;
    this._renewalTimeout = setTimeout(() => this._expiryTimerHandler(), wait);
  }

  static fromConnectionString(connectionString, tokenValidTimeInSeconds, tokenRenewalMarginInSeconds) {
    if (!connectionString) throw new ReferenceError(`connectionString cannot be '${connectionString}'`);
    const parts = ConnectionString.parse(connectionString, ['DeviceId', 'HostName', 'SharedAccessKey']);
    const credentials = {
      host: parts.HostName,
      gatewayHostName: parts.GatewayHostName,
      deviceId: parts.DeviceId,
      moduleId: parts.ModuleId,
      sharedAccessKeyName: parts.SharedAccessKeyName,
      sharedAccessKey: parts.SharedAccessKey,
    };
    return new SharedAccessKeyAuthenticationProvider(
      credentials,
      tokenValidTimeInSeconds,
      tokenRenewalMarginInSeconds,
    );
  }
}

/** Hands out a token that somebody else made. */
class SharedAccessSignatureAuthenticationProvider extends EventEmitter {
  constructor(credentials) {
    super();
    this.type = AuthenticationType.Token;
    this._credentials = credentials;
  }

  getDeviceCredentials(callback) {
    return callbackToPromise((done) => done(null, this._credentials), callback);
  }

  stop() {}

  updateSharedAccessSignature(sharedAccessSignature) {
    this._credentials.sharedAccessSignature = sharedAccessSignature;
    this.emit('newTokenAvailable', this._credentials);
  }

  static fromSharedAccessSignature(sharedAccessSignature) {
    if (!sharedAccessSignature) {
      throw new ReferenceError(`sharedAccessSignature cannot be '${sharedAccessSignature}'`);
    }
    const { sr } = SharedAccessSignature.parse(sharedAccessSignature);
    const [host, devices, deviceId, modules, moduleId] = decodeURIComponent(sr).split('/');
    return new SharedAccessSignatureAuthenticationProvider({
      host,
      deviceId: devices === 'devices' && deviceId !== undefined ? deviceId : null,
      moduleId: modules === 'modules' && moduleId !== undefined ? moduleId : null,
      sharedAccessSignature,
    });
  }
}

/** Hands out a client certificate. */
class X509AuthenticationProvider {
  constructor(credentials) {
    this.type = AuthenticationType.X509;
    this._credentials = credentials;
  }

  getDeviceCredentials(callback) {
    return callbackToPromise((done) => done(null, this._credentials), callback);
  }

  setX509Options(x509) {
    this._credentials.x509 = x509;
  }

  static fromX509Options(deviceId, iotHubHostname, x509info) {
    for (const [name, value] of Object.entries({ deviceId, iotHubHostname, x509info })) {
      if (!value) throw new ReferenceError(`${name} cannot be '${value}'`);
    }
    for (const name of ['cert', 'key']) {
      if (!x509info[name]) throw new errors.ArgumentError(`x509info.${name} cannot be '${x509info[name]}'`);
    }
    return new X509AuthenticationProvider({ deviceId, host: iotHubHostname, x509: x509info });
  }
}

for (const Provider of [
  SharedAccessKeyAuthenticationProvider,
  SharedAccessSignatureAuthenticationProvider,
  X509AuthenticationProvider,
]) {
  Object.defineProperty(Provider.prototype, INSPECT, { value: shown, writable: true, configurable: true });
}

module.exports = {
  X509AuthenticationProvider,
  SharedAccessSignatureAuthenticationProvider,
  SharedAccessKeyAuthenticationProvider,
};
