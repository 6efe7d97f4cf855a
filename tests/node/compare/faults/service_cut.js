// A backend's connection that is lost.
'use strict';
const { Registry } = require('azure-iothub');
const { hub, called, serviceConnectionString } = require('../support');

const registry = Registry.fromConnectionString(serviceConnectionString);

(async () => {
  const { deviceId } = hub.device();
  for (const how of ['Cut', 'LoseAnswer']) {
    hub.failRequests(1, how);
    await called(how, (done) => registry.updateTwin(deviceId, { tags: { how } }, '*', (err, ...rest) =>
      done(err instanceof Error, err && err.code, rest.length)));
  }
  await called('afterwards', (done) => registry.getTwin(deviceId, (err, twin) => done(err, twin && twin.tags)));
})();
