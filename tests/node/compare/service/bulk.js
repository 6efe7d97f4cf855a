// Many identities in one request.
'use strict';
const { Registry } = require('azure-iothub');
const { id, outcome, called, serviceConnectionString } = require('../support');

const registry = Registry.fromConnectionString(serviceConnectionString);
const devices = ['a', 'b', 'c'].map((name) => ({ deviceId: id(name) }));

(async () => {
  await outcome('add', registry.addDevices(devices));
  await outcome('add again', registry.addDevices(devices));
  await outcome('update by force', registry.updateDevices(devices.map((d) => ({ ...d, status: 'disabled' })), true));
  await outcome('update without etags', registry.updateDevices(devices, false));
  const read = await Promise.all(devices.map((d) => registry.get(d.deviceId)));
  const current = read.map(({ responseBody }) => ({ deviceId: responseBody.deviceId, etag: responseBody.etag }));
  await called('update with etags', (done) => registry.updateDevices(current, false, done));
  await outcome('remove with old etags', registry.removeDevices(current, false));
  await called('remove by force', (done) => registry.removeDevices(devices, true, done));
  await outcome('get', registry.get(devices[0].deviceId));
})();
