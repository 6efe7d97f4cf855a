// A module is removed by its description, with a promise.
'use strict';
const { Registry } = require('azure-iothub');
const { id, outcome, serviceConnectionString } = require('../support');

const registry = Registry.fromConnectionString(serviceConnectionString);
const deviceId = id('host');

(async () => {
  await registry.create({ deviceId });
  const { responseBody: module } = await registry.addModule({ deviceId, moduleId: 'a' });
  await outcome('remove', registry.removeModule(module));
})();
