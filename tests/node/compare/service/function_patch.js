// A function as a patch.
'use strict';
const { Registry } = require('azure-iothub');
const { id, outcome, thrown, serviceConnectionString } = require('../support');

const registry = Registry.fromConnectionString(serviceConnectionString);
const deviceId = id('device');

(async () => {
  await registry.create({ deviceId });
  await outcome('a function', registry.updateTwin(deviceId, () => {}, '*'));
  thrown('a function with callback', () => registry.updateTwin(deviceId, () => {}, '*', () => {}));
})();
