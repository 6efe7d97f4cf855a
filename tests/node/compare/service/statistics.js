// Statistics of the registry.
'use strict';
const { Registry } = require('azure-iothub');
const { say, called, serviceConnectionString } = require('../support');

const registry = Registry.fromConnectionString(serviceConnectionString);

(async () => {
  const { responseBody, httpResponse } = await registry.getRegistryStatistics();
  say('members', Object.keys(responseBody).sort(), Object.values(responseBody).map((n) => typeof n));
  say('status', httpResponse.statusCode);
  await called('with callback', (done) => registry.getRegistryStatistics((err, body, response) =>
    done(err, Object.keys(body).sort(), response.statusCode)));
})();
