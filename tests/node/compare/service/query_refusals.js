// Queries that cannot be.
'use strict';
const { Registry } = require('azure-iothub');
const { outcome, called, thrown, serviceConnectionString } = require('../support');

const registry = Registry.fromConnectionString(serviceConnectionString);

(async () => {
  for (const sql of [undefined, null, '', 5, {}, []]) thrown(`createQuery(${JSON.stringify(sql)})`, () => registry.createQuery(sql));
  for (const size of ['5', {}, true]) thrown(`page size ${JSON.stringify(size)}`, () => registry.createQuery('SELECT * FROM devices', size));
  await outcome('no SQL', registry.createQuery('give me everything').next());
  await called('no SQL with callback', (done) => registry.createQuery('give me everything').next(done));
  await outcome('no SQL as twins', registry.createQuery('give me everything').nextAsTwin());
  await outcome('unknown collection', registry.createQuery('SELECT * FROM planets').next());
  await outcome('negative page size', registry.createQuery('SELECT * FROM devices', -1).next());
  await outcome('half a page', registry.createQuery('SELECT * FROM devices', 1.5).next());
  await outcome('a token of nobody', registry.createQuery('SELECT * FROM devices', 1).next('nonsense'));
  await outcome('NaN', registry.createQuery("SELECT * FROM devices WHERE deviceId = 'nobody'", NaN).next());
})();
