// The registry: identities, twins and queries of one hub.
//
// With a callback, wrong arguments throw; without one, the promise rejects. Answers come as `(null, body, response)` or
// as `{ responseBody, httpResponse }`.
'use strict';

const { errors, endpoint, SharedAccessSignature, httpCallbackToPromise } = require('azure-iot-common');
const connectionString = require('./connection_string');
const { Device } = require('./device');
const { Query } = require('./query');
const { Twin } = require('./twin');
const paths = require('./paths');

/** Most identities in one bulk request. */
const MAX_BULK = 100;
/** What a token of Microsoft Entra ID must be for. */
const TOKEN_SCOPE = 'https://iothubs.azure.net/.default';

const JSON_BODY = 'application/json; charset=utf-8';
const json = () => ({ 'Content-Type': JSON_BODY });
const jsonIf = (etag) => ({ 'Content-Type': JSON_BODY, 'If-Match': quoted(etag) });

class Registry {
  /** `config`: `host`, and either `sharedAccessSignature` or `tokenCredential`. `restApiClient` replaces the one that is made. */
  constructor(config, restApiClient) {
    if (!config) throw new ReferenceError(`The 'config' parameter cannot be '${config}'`);
    if (!config.host) throw new errors.ArgumentError("The 'config' argument is missing either the host property");
    if (!config.sharedAccessSignature && !config.tokenCredential) {
      throw new errors.ArgumentError(
        "The 'config' argument is missing either the sharedAccessSignature or the tokenCredential property");
    }
    if (config.sharedAccessSignature && config.tokenCredential) {
      throw new errors.ArgumentError(
        "The 'config' argument has both the sharedAccessSignature and the tokenCredential property defined");
    }
    if (restApiClient && restApiClient.setOptions) {
      const { Agent } = require('node:https');
      restApiClient.setOptions({ http: { agent: new Agent({ keepAlive: true }) } });
    }
    this._restApiClient = restApiClient || new (require('./rest_api_client').RestApiClient)(config);
  }

  static fromConnectionString(value) {
    if (!value) throw new ReferenceError(`value is '${value}'`);
    const parts = connectionString.parse(value);
    const { HostName: host, SharedAccessKeyName: policy, SharedAccessKey: key } = parts;
    const sharedAccessSignature = SharedAccessSignature.create(host, policy, key, Date.now());
    return new Registry({ host, sharedAccessSignature, tokenCredential: undefined });
  }

  static fromSharedAccessSignature(value) {
    if (!value) throw new ReferenceError(`value is '${value}'`);
    const token = SharedAccessSignature.parse(value);
    return new Registry({ host: token.sr, sharedAccessSignature: token.toString(), tokenCredential: undefined });
  }

  static fromTokenCredential(hostName, tokenCredential) {
    return new Registry({ host: hostName, tokenCredential, tokenScope: TOKEN_SCOPE });
  }

  // Identities.

  create(deviceInfo, done) {
    return httpCallbackToPromise((callback) => {
      const device = identity(deviceInfo);
      this._call('PUT', paths.device(device.deviceId), json(), device, asDevice(callback));
    }, done);
  }

  update(deviceInfo, done) {
    return httpCallbackToPromise((callback) => {
      const device = identity(deviceInfo);
      this._call('PUT', paths.device(device.deviceId), jsonIf('*'), device, asDevice(callback));
    }, done);
  }

  get(deviceId, done) {
    return httpCallbackToPromise((callback) => {
      if (!deviceId) throw new ReferenceError(`deviceId is '${deviceId}'`);
      this._call('GET', paths.device(deviceId), null, null, asDevice(callback));
    }, done);
  }

  list(done) {
    return httpCallbackToPromise((callback) => {
      this._call('GET', paths.device(''), null, null,
        mapped(callback, (devices) => (devices ? devices.map((device) => new Device(device)) : [])));
    }, done);
  }

  delete(deviceId, done) {
    return httpCallbackToPromise((callback) => {
      if (!deviceId) throw new ReferenceError(`deviceId is '${deviceId}'`);
      this._call('DELETE', paths.device(deviceId), { 'If-Match': quoted('*') }, null, callback);
    }, done);
  }

  // Many identities.

  addDevices(devices, done) {
    return httpCallbackToPromise((callback) => {
      this._bulk(devices, () => 'create', callback);
    }, done);
  }

  updateDevices(devices, forceUpdate, done) {
    return httpCallbackToPromise((callback) => {
      this._bulk(devices, () => mode(forceUpdate, 'Update', 'UpdateIfMatchETag'), callback);
    }, done);
  }

  removeDevices(devices, forceRemove, done) {
    return httpCallbackToPromise((callback) => {
      this._bulk(devices, () => mode(forceRemove, 'Delete', 'DeleteIfMatchETag'), callback);
    }, done);
  }

  getRegistryStatistics(done) {
    return httpCallbackToPromise((callback) => {
      this._call('GET', paths.statistics(), {}, null, callback);
    }, done);
  }

  // Modules.

  addModule(module, done) {
    return httpCallbackToPromise((callback) => {
      requireArgument('module', module);
      requireProperty(module, 'deviceId');
      requireProperty(module, 'moduleId');
      const prepared = withAuthentication(copied(module));
      this._call('PUT', paths.module(prepared.deviceId, prepared.moduleId), json(), prepared, callback);
    }, done);
  }

  getModulesOnDevice(deviceId, done) {
    return httpCallbackToPromise((callback) => {
      requireArgument('deviceId', deviceId);
      this._call('GET', paths.modules(deviceId), null, null, callback);
    }, done);
  }

  getModule(deviceId, moduleId, done) {
    return httpCallbackToPromise((callback) => {
      requireArgument('deviceId', deviceId);
      requireArgument('moduleId', moduleId);
      this._call('GET', paths.module(deviceId, moduleId), null, null, callback);
    }, done);
  }

  updateModule(module, forceUpdateOrDone, done) {
    const hasCallback = done || typeof forceUpdateOrDone === 'function';
    const callback = done || (hasCallback ? forceUpdateOrDone : undefined);
    const force = typeof forceUpdateOrDone === 'function' ? false : forceUpdateOrDone;
    return httpCallbackToPromise((reply) => {
      requireArgument('module', module);
      requireProperty(module, 'moduleId');
      requireProperty(module, 'deviceId');
      if (!force && !module.etag) throw new errors.ArgumentError('The ETag should be set while updating the Module.');
      const prepared = withAuthentication(copied(module));
      const headers = jsonIf(force ? '*' : prepared.etag);
      this._call('PUT', paths.module(prepared.deviceId, prepared.moduleId), headers, prepared, reply);
    }, callback);
  }

  /** `(module, done?)` or `(deviceId, moduleId, done?)`. */
  removeModule(moduleOrDeviceId, doneOrModuleId, done) {
    const isModule = Boolean(moduleOrDeviceId && moduleOrDeviceId.moduleId);
    const callback = done || (typeof doneOrModuleId === 'function' ? doneOrModuleId : undefined);
    return httpCallbackToPromise((reply) => {
      const target = isModule ? moduleOrDeviceId : { deviceId: moduleOrDeviceId, moduleId: doneOrModuleId, etag: '*' };
      const { deviceId, moduleId, etag } = target;
      if (!deviceId) throw new ReferenceError("'deviceId' cannot be falsy");
      if (!moduleId) throw new ReferenceError("'moduleId' cannot be falsy");
      if (typeof deviceId !== 'string') throw new errors.ArgumentError("'deviceId' must be a string");
      if (typeof moduleId !== 'string') throw new errors.ArgumentError("'moduleId' must be a string");
      this._call('DELETE', paths.module(deviceId, moduleId), { 'If-Match': quoted(etag) }, null, reply);
    }, callback);
  }

  // Twins.

  getTwin(deviceId, done) {
    return httpCallbackToPromise((callback) => {
      if (!deviceId) throw new ReferenceError("the 'deviceId' cannot be falsy");
      this._call('GET', paths.twin(deviceId), null, null, this._asTwin(callback));
    }, done);
  }

  getModuleTwin(deviceId, moduleId, done) {
    return httpCallbackToPromise((callback) => {
      requireArgument('deviceId', deviceId);
      requireArgument('moduleId', moduleId);
      this._call('GET', paths.moduleTwin(deviceId, moduleId), null, null, this._asTwin(callback));
    }, done);
  }

  updateTwin(deviceId, patch, etag, done) {
    return httpCallbackToPromise((callback) => {
      if (deviceId === null || deviceId === undefined || deviceId === '') {
        throw new ReferenceError(`deviceId cannot be '${deviceId}'`);
      }
      if (!patch) throw new ReferenceError(`patch cannot be '${patch}'`);
      if (!etag) throw new ReferenceError(`etag cannot be '${etag}'`);
      this._call('PATCH', paths.twin(deviceId), jsonIf(etag), patch, this._asTwin(callback));
    }, done);
  }

  updateModuleTwin(deviceId, moduleId, patch, etag, done) {
    return httpCallbackToPromise((callback) => {
      requireArgument('deviceId', deviceId);
      requireArgument('moduleId', moduleId);
      requireArgument('patch', patch);
      requireArgument('etag', etag);
      this._call('PATCH', paths.moduleTwin(deviceId, moduleId), jsonIf(etag), patch, this._asTwin(callback));
    }, done);
  }

  /** The rows of `sqlQuery`, `pageSize` at a time; without one, as many as the hub likes. */
  createQuery(sqlQuery, pageSize) {
    if (!sqlQuery) throw new ReferenceError(`sqlQuery cannot be '${sqlQuery}'`);
    if (typeof sqlQuery !== 'string') throw new TypeError('sqlQuery must be a string');
    if (pageSize !== null && pageSize !== undefined && typeof pageSize !== 'number') {
      throw new TypeError('pageSize must be a number or be null or undefined');
    }
    return new Query((continuationToken, done) => {
      const headers = json();
      if (continuationToken) headers['x-ms-continuation'] = continuationToken;
      if (pageSize) headers['x-ms-max-item-count'] = pageSize;
      this._call('POST', paths.query(), headers, { query: sqlQuery }, done);
    }, this);
  }

  _call(method, path, headers, body, done) {
    this._restApiClient.executeApiCall(method, path + endpoint.versionQueryString(), headers, body, done);
  }

  _asTwin(callback) {
    return mapped(callback, (twin) => Twin._adopt(twin, this));
  }

  _bulk(devices, importMode, callback) {
    if (!devices) throw new ReferenceError(`devices cannot be '${devices}'`);
    if (!Array.isArray(devices)) throw new errors.ArgumentError('devices must be an array');
    if (devices.length === 0 || devices.length > MAX_BULK) {
      throw new errors.ArgumentError(`The device array has an invalid size of ${devices.length}`);
    }
    const chosen = importMode();
    const items = devices.map((device) => {
      if (!device || !device.deviceId) throw new errors.ArgumentError('The object is missing the property: deviceId');
      const { deviceId, ...item } = copied(device);
      return withAuthentication({ ...item, id: deviceId, importMode: chosen });
    });
    this._call('POST', paths.bulk(), json(), items, callback);
  }
}

/** Passes `(null, change(body), response)` on; what `change` cannot take is an error, not a crash. */
function mapped(callback, change) {
  return (err, body, response) => {
    if (err) return callback(err);
    let result;
    try {
      result = change(body);
    } catch (unlikely) {
      return callback(unlikely);
    }
    return callback(null, result, response);
  };
}

const asDevice = (callback) => mapped(callback, (device) => new Device(device));

/** What the caller says about an identity, in the form that is sent. */
function identity(deviceInfo) {
  if (!deviceInfo) throw new ReferenceError(`deviceInfo cannot be '${deviceInfo}'`);
  if (!deviceInfo.deviceId) {
    throw new errors.ArgumentError("The object 'deviceInfo' is missing the property: deviceId");
  }
  return withAuthentication(copied(deviceInfo));
}

/** As it will be sent; the caller's own object is never changed. */
const copied = (value) => JSON.parse(JSON.stringify(value));

/** Says how an identity authenticates, where the caller did not: by keys that the hub makes. */
function withAuthentication(item) {
  if (!Object.hasOwn(item, 'authentication')) {
    return { ...item, authentication: { type: 'sas', symmetricKey: { primaryKey: '', secondaryKey: '' } } };
  }
  const authentication = item.authentication;
  if (authentication === null || typeof authentication !== 'object') {
    throw new errors.ArgumentError("'authentication' must be an object");
  }
  if (!Object.hasOwn(authentication, 'type')) {
    const prints = authentication.x509Thumbprint;
    authentication.type = prints && (prints.primaryThumbprint || prints.secondaryThumbprint) ? 'selfSigned' : 'sas';
  }
  return item;
}

function mode(force, whenForced, otherwise) {
  if (typeof force !== 'boolean') throw new ReferenceError('force parameter must be present and a boolean');
  return force ? whenForced : otherwise;
}

/** The form of an etag in `If-Match`. */
function quoted(etag) {
  if (etag === undefined || etag === null) throw new errors.ArgumentError('The ETag is missing.');
  if (typeof etag !== 'string') throw new TypeError(`the etag must be a string, not of type ${typeof etag}`);
  return etag.length > 1 && etag.startsWith('"') && etag.endsWith('"') ? etag : `"${etag}"`;
}

function requireArgument(name, value) {
  if (!value) throw new ReferenceError(`Argument '${name}' cannot be falsy`);
}

function requireProperty(module, name) {
  if (!module[name]) throw new errors.ArgumentError(`${name} property is missing from module object`);
}

module.exports = { Registry };
