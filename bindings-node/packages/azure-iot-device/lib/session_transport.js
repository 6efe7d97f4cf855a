'use strict';
// A transport over a native session: what `Client` and `Twin` need of one, and what of the native side they hear.
// The session connects, subscribes, renews tokens, tries again; this translates.

const { EventEmitter } = require('events');
const { AuthenticationType, errors, results } = require('azure-iot-common');
const debug = require('azure-iot-common/lib/debug.js')('azure-iot-device:Session');
const { platformString } = require('azure-iot-common/lib/platform.js');
const { diff, merge } = require('./merge.js');
const { fromNative, toNative } = require('./messages.js');
const { SharedAccessKeyAuthenticationProvider } = require('./providers.js');
const { name, version } = require('../package.json');

// Loaded with the first connection: a program that only looks at the packages does not wait for the addon.
const lazy = {
  get native() {
    return require('azure-iot-common/lib/native.js');
  },
  get trust() {
    return require('azure-iot-common/lib/trust.js');
  },
};

/** Longest MQTT keep-alive that a hub honours, in seconds; the official `keepalive: 0` (none) becomes this. */
const MAX_KEEP_ALIVE = 1177;
/** Attempts for which a retry policy is asked ahead; the last delay counts for all that follow. */
const PLANNED_ATTEMPTS = 16;
/** What JSON is, by its first character; a number is the rest. */
const KINDS = { '[': 'an array', '"': 'a text', n: 'null', t: 'a boolean', f: 'a boolean' };
/** What `setOptions` keeps for connections. */
const CONNECTION_OPTIONS = ['ca', 'cert', 'key', 'passphrase', 'keepalive', 'productInfo', 'modelId'];

/** Subclasses say `_protocol`, and `_agentIn(options)`: the Agent for their WebSocket. */
class SessionTransport extends EventEmitter {
  constructor(authenticationProvider) {
    super();
    this._authenticationProvider = authenticationProvider;
    this._options = {};
    this._session = undefined;
    this._retry = { policy: () => undefined, limit: () => undefined };
    /** Who waits for desired changes to be heard; undefined: nobody wants them. */
    this._watchers = undefined;
    this._wantsMessages = false;
    if (authenticationProvider.type === AuthenticationType.Token) {
      authenticationProvider.on('newTokenAvailable', (credentials) => this._newToken(credentials));
      authenticationProvider.on('error', (error) => this.emit('disconnect', error));
    }
  }

  /** What `console.log` shows: no options, for there may be a private key among them. */
  [Symbol.for('nodejs.util.inspect.custom')]() {
    return `${this.constructor.name} { connected: ${this._session?.isUp ?? false} }`;
  }

  /** Where to ask for the retry policy and the longest time of an operation. That this exists tells that none is needed around. */
  followRetryPolicy(source) {
    this._retry = source;
  }

  retryPolicyChanged() {
    this._session?.plan();
  }

  connect(callback) {
    this._with(callback, (session) => {
      session.native.open((error) => {
        if (error) return callback(error);
        session.up();
        callback(null, new results.Connected());
      });
    });
  }

  disconnect(callback) {
    const session = this._session;
    this._session = undefined;
    if (!session) return callback && callback(null, new results.Disconnected());
    session.close((error) => callback && callback(error, error ? undefined : new results.Disconnected()));
  }

  getTwin(callback) {
    this._with(callback, (session) => {
      session.native.twin((error, twin) => (error ? callback(error) : callback(null, session.reconcile(twin))));
    });
  }

  updateTwinReportedProperties(patch, callback) {
    const text = JSON.stringify(patch);
    if (text === undefined) throw new TypeError(`a patch of reported properties is an object, not ${typeof patch}`);
    if (text[0] !== '{') {
      const what = KINDS[text[0]] ?? 'a number';
      return process.nextTick(callback, new errors.ArgumentError(`a patch of reported properties is an object; as JSON this is ${what}`));
    }
    this._with(callback, (session) => {
      session.native.report(text, (error) => (error ? callback(error) : callback(null)));
    });
  }

  enableTwinDesiredPropertiesUpdates(callback) {
    this._watchers ??= [];
    this._with(callback, (session) => session.watch(callback));
  }

  disableTwinDesiredPropertiesUpdates(callback) {
    this._watchers = undefined;
    this._session?.unwatch();
    callback(null);
  }

  sendEvent(message, callback) {
    const text = JSON.stringify(toNative(message));
    this._with(callback, (session) => session.native.send(text, enqueued(callback)));
  }

  sendEventBatch() {
    const name = this._protocol.replace('Ws', '').toUpperCase();
    throw new errors.NotImplementedError(`${name} Transport does not support batching yet`);
  }

  _sendBatch(messages, callback) {
    const text = JSON.stringify(messages.map((message) => toNative(message)));
    this._with(callback, (session) => session.native.sendBatch(text, enqueued(callback)));
  }

  complete(message, callback) {
    this._settle(message, 'complete', results.MessageCompleted, callback);
  }

  reject(message, callback) {
    this._settle(message, 'reject', results.MessageRejected, callback);
  }

  abandon(message, callback) {
    this._settle(message, 'abandon', results.MessageAbandoned, callback);
  }

  _settle(message, how, Result, callback) {
    if (!message) throw new ReferenceError('Invalid message object.');
    const done = callback ?? (() => {});
    this._with(done, (session) => {
      session.native.settle(String(message.lockToken ?? ''), how, (error) => (error ? done(lockLost(error)) : done(null, new Result())));
    });
  }

  enableC2D(callback) {
    this._wantsMessages = true;
    this._with(callback, (session) => {
      session.subscribe();
      callback(null);
    });
  }

  disableC2D(callback) {
    this._wantsMessages = false;
    this._session?.unsubscribe();
    callback(null);
  }

  updateSharedAccessSignature(sharedAccessSignature, callback) {
    const provider = this._authenticationProvider;
    if (typeof provider.updateSharedAccessSignature !== 'function') {
      return callback(
        new errors.InvalidOperationError('this client renews its tokens itself; there is no given one to replace'),
      );
    }
    // Tells `newTokenAvailable`, which reaches the session.
    this._tokenGiven = callback;
    try {
      provider.updateSharedAccessSignature(sharedAccessSignature);
    } finally {
      const told = this._tokenGiven !== callback;
      this._tokenGiven = undefined;
      if (!told) callback(null, new results.SharedAccessSignatureUpdated(false));
    }
  }

  _newToken(credentials) {
    const done = this._tokenGiven ?? (() => {});
    this._tokenGiven = null;
    const updated = () => done(null, new results.SharedAccessSignatureUpdated(false));
    if (!this._session) return updated();
    this._session.native.updateToken(String(credentials.sharedAccessSignature), (error) => {
      if (!error) return updated();
      done(error);
      if (done.length === 0) this.emit('disconnect', error);
    });
  }

  setOptions(options, done) {
    if (!options) throw new ReferenceError(`The options parameter can not be '${options}'`);
    const provider = this._authenticationProvider;
    if (provider.type === AuthenticationType.Token && options.cert) {
      throw new errors.ArgumentError('Cannot set x509 options on a device that uses token authentication.');
    }
    if (options.clientCertEngine) {
      throw new errors.NotImplementedError('clientCertEngine: OpenSSL engines are not supported');
    }
    if (options.tokenRenewal) setRenewal(provider, options.tokenRenewal);
    for (const key of CONNECTION_OPTIONS) {
      if (options[key] !== undefined) this._options[key] = options[key];
    }
    const agent = this._agentIn(options);
    if (agent) this._options.agent = agent;
    if (options.cert) provider.setX509Options(options);
    if (this._session) this._session.outdated = true;
    if (done) done(null);
  }

  /** Calls `use` with the session, made if there is none; `callback` hears of credentials that can't be had. */
  _with(callback, use) {
    if (this._session?.outdated && !this._session.isUp) {
      // It could not connect with the old options.
      this._session.close(() => {});
      this._session = undefined;
    }
    if (this._session) return this._session.use(use);
    this._credentials((error, spec, x509) => {
      if (error) return callback(error);
      try {
        this._session ??= new Session(this, spec, x509);
      } catch (problem) {
        return process.nextTick(callback, problem);
      }
      if (this._watchers) this._session.watch();
      if (this._wantsMessages) this._session.subscribe();
      this._session.use(use);
    });
  }

  /** Who connects, in the words of the native side. */
  _credentials(callback) {
    const provider = this._authenticationProvider;
    const spec = ({ host, deviceId, moduleId, gatewayHostName }, more) => ({
      host: String(host ?? ''),
      deviceId: String(deviceId ?? ''),
      protocol: this._protocol,
      productInfo: `${name}/${version} (${platformString()})${this._options.productInfo ?? ''}`,
      ...(moduleId && { moduleId: String(moduleId) }),
      ...(gatewayHostName && { gateway: String(gatewayHostName) }),
      ...(this._options.modelId && { modelId: String(this._options.modelId) }),
      ...(this._retry.limit() > 0 && { operationTimeout: this._retry.limit() }),
      ...more,
    });
    const keyed = keyOf(provider);
    if (keyed) return callback(null, spec(provider._credentials, keyed));
    provider.getDeviceCredentials((error, credentials) => {
      if (error) return callback(error);
      if (provider.type === AuthenticationType.X509) return callback(null, spec(credentials, {}), credentials.x509);
      callback(null, spec(credentials, { token: String(credentials.sharedAccessSignature) }));
    });
  }
}

/** One native session and what is known of it. */
class Session {
  constructor(transport, spec, x509) {
    this.transport = transport;
    this.isUp = false;
    this.outdated = false;
    this.held = false;
    /** It was connected, so a final loss is news. */
    this.wasUp = false;
    /** The desired section as last heard of, with its `$version`. */
    this.desired = undefined;
    this.watching = false;
    this.subscribed = false;
    this.label = `${spec.deviceId}${spec.moduleId ? `/${spec.moduleId}` : ''}@${spec.host}`;
    const { agent, keepalive, ...tls } = transport._options;
    const keepAlive = keepalive === undefined ? undefined : Math.min(keepalive || MAX_KEEP_ALIVE, MAX_KEEP_ALIVE);
    const options = lazy.trust.connectionOptions({ ...tls, ...x509, agent, keepAlive });
    this.id = lazy.native.listen((event) => this.hear(event));
    this.native = lazy.native.construct('NativeDevice', [this.id, spec], options);
    const problem = this.native.problem();
    if (problem) {
      // Nothing will ever happen here, so nobody must wait for it.
      lazy.native.stopListening(this.id);
      throw problem;
    }
    this.plan();
    debug(`${this.label}: session made`);
  }

  use(operation) {
    this.hold();
    operation(this);
  }

  hold() {
    if (!this.held) lazy.native.hold();
    this.held = true;
  }

  release() {
    if (this.held) lazy.native.release();
    this.held = false;
  }

  /** Asks the user's policy ahead, for the session can't wait for JavaScript. */
  plan() {
    const policy = this.transport._retry.policy();
    if (!policy) return;
    const { BY_KIND } = require('azure-iot-common/lib/classify.js');
    const kinds = Object.keys(BY_KIND).filter((kind) => policy.shouldRetry(new BY_KIND[kind](kind)));
    const delays = (throttled) =>
      Array.from({ length: PLANNED_ATTEMPTS }, (_, i) => Number(policy.nextRetryTimeout(i + 1, throttled)));
    this.native.setRetry(kinds, delays(false), delays(true));
  }

  hear(event) {
    if (event.state) this.hearState(event.state);
    else if (event.desired) this.hearDesired(event.desired);
    else if (event.message) this.hearMessage(event.message);
    else if (event.expiring) debug(`${this.label}: the given token ends at ${event.expiring}`);
  }

  hearState({ name: state, reason, retryInMs }) {
    debug(`${this.label}: ${state}${reason ? `: ${reason.message}` : ''}${retryInMs >= 0 ? `; again in ${retryInMs} ms` : ''}`);
    if (state === 'connecting') return this.hold();
    if (state === 'connected') return this.up();
    this.isUp = false;
    if (state === 'closed') return this.ended();
    // Before the first connection there is none to lose.
    if (!reason) return;
    if (retryInMs !== undefined && retryInMs !== null) return this.plan();
    this.release();
    if (this.wasUp) {
      this.wasUp = false;
      this.transport.emit('disconnect', lazy.native.toError(reason));
    }
  }

  up() {
    this.hold();
    this.wasUp = true;
    if (this.isUp) return;
    this.isUp = true;
    this.transport.emit('connected');
  }

  watch(callback) {
    if (this.watching && this.desired) return callback && callback(null);
    if (callback) this.transport._watchers.push(callback);
    if (this.watching) return;
    this.watching = true;
    this.native.watch();
  }

  unwatch() {
    this.watching = false;
    this.native.unwatch();
  }

  subscribe() {
    if (this.subscribed) return;
    this.subscribed = true;
    this.native.subscribe();
  }

  unsubscribe() {
    if (!this.subscribed) return;
    this.subscribed = false;
    this.native.unsubscribe();
  }

  hearMessage(heard) {
    if (heard.end !== undefined) {
      this.subscribed = false;
      if (heard.end && !this.closing) debug(`${this.label}: no messages any more: ${heard.end.message}`);
      return;
    }
    // A letter that was on its way when nobody wanted more.
    if (!this.subscribed) return;
    this.transport.emit('message', fromNative(heard, this.transport._propertyPrefix));
    this.transport._delivered?.(heard.lockToken);
  }

  hearDesired({ whole, patch, end }) {
    if (end !== undefined) {
      this.watching = false;
      // Closing ends it too; nobody who closes wants to hear of that as an error.
      if (end) this.tellWatchers(this.closing ? null : lazy.native.toError(end));
    } else if (whole) {
      const before = this.desired;
      this.desired = whole;
      this.tellWatchers(null);
      // The first one only says where we are; what the twin shows, it read itself.
      const change = before && diff(before, whole);
      if (change && Object.keys(change).length > 0) {
        debug(`${this.label}: desired version ${whole.$version}, steps were missed`);
        this.transport.emit('twinDesiredPropertiesUpdate', change, structuredCopy(whole));
      }
    } else {
      debug(`${this.label}: desired version ${patch.$version}`);
      this.desired = merge(this.desired ?? {}, patch);
      this.transport.emit('twinDesiredPropertiesUpdate', patch);
    }
  }

  tellWatchers(error) {
    const waiting = this.transport._watchers ?? [];
    if (this.transport._watchers) this.transport._watchers = [];
    for (const callback of waiting) callback(error);
  }

  /** A twin as read, unless a later desired section was heard of already. */
  reconcile(twin) {
    if (this.desired && this.desired.$version > twin.desired.$version) twin.desired = structuredCopy(this.desired);
    else this.desired = structuredCopy(twin.desired);
    return twin;
  }

  close(callback) {
    this.closing = true;
    this.native.close((error) => {
      this.ended();
      callback(error);
    });
  }

  ended() {
    if (this.isOver) return;
    this.isOver = true;
    this.isUp = false;
    this.release();
    lazy.native.stopListening(this.id);
    if (this.transport._session === this) this.transport._session = undefined;
    debug(`${this.label}: closed`);
  }
}

/** A message that is settled, or locked no more, in the class of the official AMQP transport (amqp_common_errors.ts). */
function lockLost(error) {
  if (!(error instanceof errors.PreconditionFailedError)) return error;
  const { name: _, ...facts } = error;
  return Object.assign(new errors.DeviceMessageLockLostError(error.message), facts);
}

/** Ends an operation that sends. */
function enqueued(callback) {
  return (error) => (error ? callback(error) : callback(null, new results.MessageEnqueued()));
}

function structuredCopy(json) {
  return merge({}, json);
}

function setRenewal(provider, { tokenValidTimeInSeconds, tokenRenewalMarginInSeconds }) {
  if (provider.type === AuthenticationType.X509) {
    throw new errors.InvalidOperationError('cannot set token renewal options when using X509 authentication');
  }
  if (!provider.setTokenRenewalValues) {
    throw new errors.InvalidOperationError('can only set token renewal options when using pre-shared key authentication');
  }
  provider.setTokenRenewalValues(tokenValidTimeInSeconds, tokenRenewalMarginInSeconds);
}

/** The key of a provider that does nothing but sign with one; the native side then makes and renews the tokens. */
function keyOf(provider) {
  const plain = SharedAccessKeyAuthenticationProvider.prototype;
  const isPlain =
    provider instanceof SharedAccessKeyAuthenticationProvider &&
    provider._sign === plain._sign &&
    provider._renewToken === plain._renewToken &&
    provider.getDeviceCredentials === plain.getDeviceCredentials;
  if (!isPlain) return undefined;
  const { sharedAccessKey, sharedAccessKeyName } = provider._credentials;
  return {
    key: String(sharedAccessKey),
    ...(sharedAccessKeyName && { policy: String(sharedAccessKeyName) }),
    tokenLifetime: provider._tokenValidTimeInSeconds,
    tokenRenewShare: provider._tokenRenewalMarginInSeconds / provider._tokenValidTimeInSeconds,
  };
}

module.exports = { SessionTransport };
