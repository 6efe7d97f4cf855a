'use strict';
// The transport over HTTPS: telemetry, and messages that are asked for by a receive policy. There are no twins over HTTPS.

const { errors } = require('azure-iot-common');
const debug = require('azure-iot-common/lib/debug.js')('azure-iot-device-http:Http');
const { SessionTransport } = require('./session_transport.js');

/** Once a second, all that wait, as the official package does when nothing else is said. */
const DEFAULT_POLICY = { interval: 1, at: null, cron: null, manualPolling: false, drain: true };
const POLICY_KEYS = ['interval', 'at', 'cron', 'manualPolling', 'drain'];
/** The longest that a timer of Node's can wait. */
const MAX_WAIT_MS = 0x7fffffff;

function checked(policy) {
  const chosen = ['interval', 'at', 'cron', 'manualPolling'].filter((key) => policy[key]);
  const wrong = (text) => new errors.ArgumentError(text);
  if (chosen.length > 1) throw wrong('Only one of the (interval|at|cron) fields should be set.');
  const { interval, at, cron } = policy;
  if (interval && typeof interval !== 'number') throw wrong("The 'interval' parameter must be a number");
  if (interval && interval <= 0) throw wrong("the 'interval' parameter must be strictly greater than 0 (zero)");
  if (at && !(at instanceof Date)) throw wrong("The 'at' parameter must be a Date");
  if (cron && typeof cron !== 'string') throw wrong("The 'cron' parameter must be a String in cron syntax");
  if (cron && nextTime(cron) === undefined) throw wrong(`'${cron}' is no cron expression`);
  return policy;
}

/** When a cron expression fits next, in this machine's time zone. */
function nextTime(cron) {
  const native = require('azure-iot-common/lib/native.js');
  return native.nextTime(cron, Date.now(), -new Date().getTimezoneOffset());
}

function refuse(what) {
  throw new errors.NotImplementedError(what);
}

class Http extends SessionTransport {
  constructor(authenticationProvider) {
    super(authenticationProvider);
    this._policy = DEFAULT_POLICY;
    this._timer = undefined;
    this._polls = false;
  }
  get _protocol() {
    return 'Http';
  }
  _agentIn(options) {
    return options.http?.agent;
  }
  /** The official package leaves the headers' prefix on the names of properties. */
  get _propertyPrefix() {
    return 'iothub-app-';
  }

  setOptions(options, done) {
    const policy = options?.http?.receivePolicy ?? (POLICY_KEYS.some((key) => key in (options ?? {})) ? options : undefined);
    const next = policy && checked(policy);
    super.setOptions(options, (error) => {
      if (!error && next) {
        this._policy = next;
        if (this._polls) this._schedule();
      }
      if (done) done(error ?? null);
    });
  }

  /** The batch travels in one request. */
  sendEventBatch(messages, callback) {
    this._sendBatch(messages, callback);
  }

  enableC2D(callback) {
    super.enableC2D((error) => {
      if (error) return callback(error);
      this._polls = true;
      this._schedule();
      callback(null);
    });
  }

  disableC2D(callback) {
    this._polls = false;
    clearTimeout(this._timer);
    super.disableC2D(callback);
  }

  disconnect(callback) {
    this._polls = false;
    clearTimeout(this._timer);
    super.disconnect(callback);
  }

  /** Asks now, whatever the policy says; messages come as events. */
  receive(done = () => {}) {
    const fail = (error) => {
      if (error) {
        debug(`no messages: ${error}`);
        this.emit('error', error);
      }
      done();
    };
    this._with(fail, (session) => {
      // Without listeners nobody subscribed: what comes would be lost.
      session.subscribe();
      session.native.receive(this._policy.drain !== false, fail);
    });
  }

  _schedule() {
    clearTimeout(this._timer);
    const { interval, at, cron } = this._policy;
    const again = () => this.receive(() => this._polls && this._schedule());
    if (interval) this._wait(Date.now() + interval * 1000, again);
    else if (at) this._wait(at.getTime(), () => this.receive());
    else if (cron) this._wait(nextTime(cron), again);
  }

  _wait(until, then) {
    if (until === undefined) return;
    const left = Math.max(until - Date.now(), 0);
    this._timer = setTimeout(() => (left > MAX_WAIT_MS ? this._wait(until, then) : then()), Math.min(left, MAX_WAIT_MS));
  }

  getTwin() {
    refuse('Twin is not implemented over HTTP.');
  }
  updateTwinReportedProperties() {
    refuse('Twin is not implemented over HTTP.');
  }
  enableTwinDesiredPropertiesUpdates() {
    refuse('Twin is not implemented over HTTP.');
  }
  disableTwinDesiredPropertiesUpdates() {
    refuse('Twin is not implemented over HTTP.');
  }
  sendMethodResponse() {
    refuse('Direct methods are not implemented over HTTP.');
  }
  onDeviceMethod() {
    refuse('Direct methods are not implemented over HTTP.');
  }
  enableMethods() {
    refuse('Direct methods are not implemented over HTTP.');
  }
  disableMethods() {
    refuse('Direct methods are not implemented over HTTP.');
  }
  enableInputMessages() {
    refuse('Input messages are not implemented over HTTP.');
  }
  disableInputMessages() {
    refuse('Input messages are not implemented over HTTP.');
  }
  sendOutputEvent() {
    refuse('Output events are not implemented over HTTP.');
  }
  sendOutputEventBatch() {
    refuse('Output events are not implemented over HTTP.');
  }
}

module.exports = { Http };
