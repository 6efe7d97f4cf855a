// Answers of a hub in trouble, to backends.
'use strict';
const { Registry } = require('azure-iothub');
const { hub, called, outcome, serviceConnectionString } = require('../support');

const registry = Registry.fromConnectionString(serviceConnectionString);

(async () => {
  const { deviceId } = hub.device();
  for (const how of ['Throttle', 'ServerError', 'Unavailable']) {
    hub.failRequests(1, how);
    await outcome(how, registry.getTwin(deviceId));
    hub.failRequests(1, how);
    await called(`${how} with callback`, (done) => registry.updateTwin(deviceId, { tags: { a: 1 } }, '*', done));
  }
})();
