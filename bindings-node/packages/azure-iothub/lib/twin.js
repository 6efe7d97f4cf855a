// A twin, as backends see it.
'use strict';

const { errors } = require('azure-iot-common');
const { tripleValueCallbackToPromise } = require('azure-iot-common');
const { merge } = require('./merge');

const pack = (result, message) => ({ result, message });

class Twin {
  /** An empty twin of the device with this id, or one filled from a description. `registryClient` is asked by `get` and `update`. */
  constructor(device, registryClient) {
    if (device === null || device === undefined || device === '') {
      throw new ReferenceError(`'device' cannot be '${device}'`);
    }
    if (!registryClient) throw new ReferenceError(`'registryClient' cannot be '${registryClient}'`);
    if (typeof device === 'string') {
      this.deviceId = device;
    } else {
      requireId(device);
      merge(this, device);
    }
    complete(this, registryClient);
  }

  /** Makes a twin of `answer`, an object that nobody else holds. */
  static _adopt(answer, registryClient) {
    requireId(answer);
    return new Adopted(answer, registryClient);
  }

  /** Reads the twin anew: properties, tags and etag. */
  get(done) {
    return tripleValueCallbackToPromise((callback) => {
      const take = taking(this, callback, true);
      if (this.moduleId) this._registry.getModuleTwin(this.deviceId, this.moduleId, take);
      else this._registry.getTwin(this.deviceId, take);
    }, pack, done);
  }

  /** Changes tags and desired properties, if the twin still has the etag that is here; `etag = '*'` changes it anyway. */
  update(patch, done) {
    return tripleValueCallbackToPromise((callback) => {
      const take = taking(this, callback, false);
      if (this.moduleId) this._registry.updateModuleTwin(this.deviceId, this.moduleId, patch, this.etag, take);
      else this._registry.updateTwin(this.deviceId, patch, this.etag, take);
    }, pack, done);
  }

  /** A deep copy without the registry. */
  toJSON() {
    const { _registry, ...rest } = this;
    return { ...merge({}, rest), _registry: undefined };
  }
}

/** A twin made in one go: pages have thousands of rows, and their members one by one cost as much as parsing them. */
function Adopted(answer, registry) {
  // A query can name a column so; assigning it would change what this object is.
  if (Object.hasOwn(answer, '__proto__')) delete answer.__proto__;
  Object.assign(this, answer);
  complete(this, registry);
}
Adopted.prototype = Twin.prototype;

function requireId(device) {
  if (!device || !device.deviceId) throw new errors.ArgumentError("'device' must have a deviceId property");
}

function complete(twin, registry) {
  twin.etag = twin.etag || '*';
  twin.tags = twin.tags || {};
  if (!twin.properties || !twin.properties.desired) twin.properties = { desired: {}, ...twin.properties };
  twin._registry = registry;
}

/** Takes an answer over into `twin`. */
function taking(twin, callback, withModel) {
  return (err, answer, response) => {
    if (err) return callback(err);
    twin.properties = answer.properties;
    twin.tags = answer.tags;
    twin.etag = answer.etag;
    if (withModel && answer.modelId) twin.modelId = answer.modelId;
    return callback(null, twin, response);
  };
}

module.exports = { Twin };
