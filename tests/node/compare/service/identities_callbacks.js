// The same with callbacks: which arguments they get.
'use strict';
const { Registry } = require('azure-iothub');
const { id, called, serviceConnectionString } = require('../support');

const registry = Registry.fromConnectionString(serviceConnectionString);
const deviceId = id('lamp');

(async () => {
  await called('create', (done) => registry.create({ deviceId }, done));
  await called('create again', (done) => registry.create({ deviceId }, done));
  await called('get', (done) => registry.get(deviceId, done));
  await called('update', (done) => registry.update({ deviceId, statusReason: 'x' }, done));
  await called('delete', (done) => registry.delete(deviceId, done));
  await called('get after delete', (done) => registry.get(deviceId, done));
})();
