// Identities of modules: every overload.
'use strict';
const { Registry } = require('azure-iothub');
const { id, outcome, called, serviceConnectionString } = require('../support');

const registry = Registry.fromConnectionString(serviceConnectionString);
const deviceId = id('host');

(async () => {
  await registry.create({ deviceId });
  await outcome('add', registry.addModule({ deviceId, moduleId: 'a' }));
  await called('add with callback', (done) => registry.addModule({ deviceId, moduleId: 'b' }, done));
  await outcome('add again', registry.addModule({ deviceId, moduleId: 'a' }));
  await outcome('list', registry.getModulesOnDevice(deviceId));
  const { responseBody: module } = await registry.getModule(deviceId, 'a');
  await outcome('update', registry.updateModule({ ...module, managedBy: 'me' }));
  await outcome('update with an old etag', registry.updateModule({ ...module, managedBy: 'you' }));
  await outcome('update by force', registry.updateModule({ ...module, managedBy: 'you' }, true));
  await called('update by force with callback', (done) => registry.updateModule({ ...module, managedBy: 'us' }, true, done));
  await called('update with callback', (done) => registry.updateModule({ ...module }, done));
  await called('update without etag', (done) => registry.updateModule({ deviceId, moduleId: 'a' }, done));
  await outcome('remove by ids', registry.removeModule(deviceId, 'b'));
  await called('remove nobody', (done) => registry.removeModule(deviceId, 'b', done));
  const { responseBody: last } = await registry.getModule(deviceId, 'a');
  await called('remove with an old etag', (done) => registry.removeModule({ ...last, etag: 'AAAA' }, done));
  await called('remove with callback', (done) => registry.removeModule(last, done));
  await outcome('list of none', registry.getModulesOnDevice(deviceId));
  await outcome('get nobody', registry.getModule(deviceId, 'nobody'));
  await outcome('list of nobody', registry.getModulesOnDevice(id('nobody')));
})();
