// Where the REST interface keeps things; the API version comes after.
'use strict';

const { endpoint } = require('azure-iot-common');

const encode = encodeURIComponent;

module.exports = {
  device: (deviceId) => endpoint.devicePath(encode(deviceId)),
  bulk: () => '/devices',
  query: () => '/devices/query',
  statistics: () => '/statistics/devices',
  modules: (deviceId) => `${endpoint.devicePath(encode(deviceId))}/modules`,
  module: (deviceId, moduleId) => endpoint.modulePath(encode(deviceId), encode(moduleId)),
  twin: (deviceId) => `/twins/${encode(deviceId)}`,
  moduleTwin: (deviceId, moduleId) => `/twins/${encode(deviceId)}/modules/${encode(moduleId)}`,
};
