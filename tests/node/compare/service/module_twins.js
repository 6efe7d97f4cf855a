// Twins of modules.
'use strict';
const { Registry } = require('azure-iothub');
const { say, id, outcome, called, serviceConnectionString } = require('../support');

const registry = Registry.fromConnectionString(serviceConnectionString);
const deviceId = id('host');

(async () => {
  await registry.create({ deviceId });
  await registry.addModule({ deviceId, moduleId: 'm' });
  const { responseBody: twin } = await registry.getModuleTwin(deviceId, 'm');
  say('twin', twin);
  await outcome('update', twin.update({ tags: { a: 1 }, properties: { desired: { b: 2 } } }));
  await outcome('get', twin.get());
  await called('update by ids', (done) => registry.updateModuleTwin(deviceId, 'm', { tags: { a: 2 } }, twin.etag, done));
  await outcome('update with an old etag', registry.updateModuleTwin(deviceId, 'm', { tags: { a: 3 } }, twin.etag));
  await called('of nobody', (done) => registry.getModuleTwin(deviceId, 'nobody', done));
  await outcome('query', registry.createQuery(`SELECT * FROM devices.modules WHERE deviceId = '${deviceId}'`).nextAsTwin());
})();
