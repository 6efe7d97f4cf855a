'use strict';
// Shared access signatures of devices.

const { SharedAccessSignature, encodeUriComponentStrict } = require('azure-iot-common');

function create(host, deviceId, key, expiry) {
  return SharedAccessSignature.create(encodeUriComponentStrict(`${host}/devices/${deviceId}`), null, key, expiry);
}

function parse(source) {
  return SharedAccessSignature.parse(source, ['sr', 'sig', 'se']);
}

module.exports = { create, parse };
