// Rows without an id, asked for as twins.
'use strict';
const { Registry } = require('azure-iothub');
const fleet = require('../fleet');
const { called, outcome, serviceConnectionString } = require('../support');

const registry = Registry.fromConnectionString(serviceConnectionString);

(async () => {
  const { where } = await fleet(registry);
  const query = () => registry.createQuery(`SELECT tags.n FROM devices ${where}`);
  await called('with callback', (done) => query().nextAsTwin(done));
  await outcome('with a promise', query().nextAsTwin());
})();
