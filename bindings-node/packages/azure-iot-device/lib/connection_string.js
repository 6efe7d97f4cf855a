'use strict';
// Connection strings of devices.

const { ConnectionString, errors } = require('azure-iot-common');

function requireArguments(values) {
  for (const [name, value] of Object.entries(values)) {
    if (!value) throw new ReferenceError(`${name} cannot be '${value}'`);
  }
}

/** The parts, as a plain object; exactly one of key, signature and certificate must be there. */
function parse(source) {
  const parts = ConnectionString.parse(source, ['HostName', 'DeviceId']);
  const { SharedAccessKey, SharedAccessSignature, x509 } = parts;
  const wrong = (text) => new errors.ArgumentError(`The connection string must contain either a ${text}`);
  if (SharedAccessKey && x509) throw wrong('SharedAccessKey or x509=true');
  if (SharedAccessKey && SharedAccessSignature) throw wrong('SharedAccessKey or SharedAccessSignature');
  if (SharedAccessSignature && x509) throw wrong('SharedAccessSignature or x509=true');
  if (!SharedAccessKey && !SharedAccessSignature && !x509) {
    throw wrong('SharedAccessKey, SharedAccessSignature or x509=true');
  }
  return parts;
}

function createWithSharedAccessKey(hostName, deviceId, symmetricKey) {
  requireArguments({ hostName, deviceId, symmetricKey });
  return `HostName=${hostName};DeviceId=${deviceId};SharedAccessKey=${symmetricKey}`;
}

function createWithX509Certificate(hostName, deviceId) {
  requireArguments({ hostName, deviceId });
  return `HostName=${hostName};DeviceId=${deviceId};x509=true`;
}

module.exports = { parse, createWithSharedAccessKey, createWithX509Certificate };
