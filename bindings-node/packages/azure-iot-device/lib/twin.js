'use strict';
// The device's copy of its twin: properties that follow the hub, events for what changed, reports.

const { EventEmitter } = require('events');
const { callbackToPromise, RetryOperation } = require('azure-iot-common');
const debug = require('azure-iot-common/lib/debug.js')('azure-iot-device:Twin');
const { merge } = require('./merge.js');

const DESIRED = 'properties.desired';

class Twin extends EventEmitter {
  constructor(transport, retryPolicy, maxTimeout) {
    super();
    this._transport = transport;
    this._retryPolicy = retryPolicy;
    this._maxOperationTimeout = maxTimeout;
    this.userRegisteredDesiredPropertiesListener = false;
    this.on('newListener', (eventName) => this._handleNewListener(eventName));
    this._transport.on('twinDesiredPropertiesUpdate', (patch, whole) => this._onDesired(patch, whole));
  }

  /** Reads the twin, anew each time, and fires the events of everything that it has. */
  get(callback) {
    return callbackToPromise((done) => {
      this.properties ??= this._newProperties({}, {});
      this._retry(
        'twin.get',
        (end) =>
          this._transport.getTwin((error, found) => {
            if (error) return end(error);
            this.properties = this._newProperties(found.desired, found.reported);
            this._fireChangeEvents(this.properties.desired);
            end(null, this);
          }),
        done,
      );
    }, callback);
  }

  setRetryPolicy(policy) {
    this._retryPolicy = policy;
  }

  enableTwinDesiredPropertiesUpdates(callback) {
    this._retry(
      'enableTwinDesiredPropertiesUpdates',
      (end) => this._transport.enableTwinDesiredPropertiesUpdates(end),
      (error) => callback(error),
    );
  }

  _retry(name, operation, done) {
    // A native session tries again itself: it keeps the order of reports, which a loop out here could not.
    if (this._transport.followRetryPolicy) {
      operation((error, result) => (error ? done(error) : done(null, result, undefined)));
    } else {
      new RetryOperation(name, this._retryPolicy, this._maxOperationTimeout).retry(operation, done);
    }
  }

  _newProperties(desired, reported) {
    const update = (patch, callback) =>
      callbackToPromise((done) => this._updateReportedProperties(patch, done), callback);
    return { reported: Object.assign({ update }, merge({}, reported ?? {})), desired: merge({}, desired ?? {}) };
  }

  _updateReportedProperties(patch, done) {
    this._retry(
      '_updateReportedProperties',
      (end) =>
        this._transport.updateTwinReportedProperties(patch, (error) => {
          if (error) return end(error);
          // What the hub got is the patch's JSON, not the object: without functions, with dates as text.
          merge(this.properties.reported, JSON.parse(JSON.stringify(patch)));
          end();
        }),
      done,
    );
  }

  /** The value at `properties.desired…`, if there is one. */
  _at(eventName) {
    const path = eventName.slice(DESIRED.length + 1);
    let value = this.properties?.desired;
    for (const key of path ? path.split('.') : []) value = value?.[key];
    return value;
  }

  _fireChangeEvents(desired) {
    this.emit(DESIRED, desired);
    const fire = (path, value) => {
      for (const [key, inner] of Object.entries(value)) {
        this.emit(`${path}.${key}`, inner);
        if (typeof inner === 'object' && inner !== null) fire(`${path}.${key}`, inner);
      }
    };
    fire(DESIRED, desired);
  }

  /** A patch, or, with `whole`, what the section is now and the patch that leads there. */
  _onDesired(patch, whole) {
    this.properties ??= this._newProperties({}, {});
    const { desired } = this.properties;
    if (whole) {
      // In place: programs hold on to the object.
      for (const key of Object.keys(desired)) delete desired[key];
      merge(desired, whole);
    } else if (patch.$version !== undefined && desired.$version !== undefined && patch.$version <= desired.$version) {
      debug(`a desired patch of version ${patch.$version} comes late: version ${desired.$version} is here`);
      return;
    } else {
      merge(desired, patch);
    }
    this._fireChangeEvents(patch);
  }

  _handleNewListener(eventName) {
    if (typeof eventName !== 'string' || !eventName.startsWith(DESIRED)) return;
    const value = this._at(eventName);
    if (value) process.nextTick(() => this.emit(eventName, value));
    this.userRegisteredDesiredPropertiesListener = true;
    this.enableTwinDesiredPropertiesUpdates((error) => {
      if (error) {
        debug(`desired changes cannot be heard: ${error}`);
        this.emit('error', error);
      }
    });
  }
}

Twin.errorEvent = 'error';
Twin.desiredPath = DESIRED;

module.exports = { Twin };
