// An identity is created, read, changed, listed and deleted, with promises.
'use strict';
const { Registry } = require('azure-iothub');
const { say, id, outcome, serviceConnectionString } = require('../support');

const registry = Registry.fromConnectionString(serviceConnectionString);
const deviceId = id('lamp');

(async () => {
  await outcome('create', registry.create({ deviceId, status: 'enabled', statusReason: 'new' }));
  await outcome('get', registry.get(deviceId));
  await outcome('update', registry.update({ deviceId, status: 'disabled', statusReason: 'lost' }));
  const { responseBody } = await registry.list();
  say('listed', responseBody.filter((device) => device.deviceId === deviceId));
  await outcome('delete', registry.delete(deviceId));
  await outcome('get after delete', registry.get(deviceId));
  await outcome('delete again', registry.delete(deviceId));
})();
