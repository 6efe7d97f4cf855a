// The backend of the official tutorials: get a twin, tag it, look for it.
'use strict';
const iothub = require('azure-iothub');
const { say, id, called, outcome, serviceConnectionString } = require('../support');

const registry = iothub.Registry.fromConnectionString(serviceConnectionString);
const deviceId = id('myDeviceId');

(async () => {
  await registry.create({ deviceId });
  const twin = await new Promise((resolve, reject) =>
    registry.getTwin(deviceId, (err, found) => (err ? reject(err) : resolve(found))));
  say('twin', twin);
  const plant = id('Redmond43');
  await called('update', (done) => twin.update({ tags: { location: { region: 'US', plant } } }, done));
  say('same object', twin);
  await outcome('update with a promise', twin.update({ properties: { desired: { interval: 9 } } }));
  const query = registry.createQuery(`SELECT * FROM devices WHERE tags.location.plant = '${plant}'`, 100);
  await called('query', (done) => query.nextAsTwin((err, twins, response) =>
    done(err, twins && twins.map((found) => found.deviceId), response)));
  await outcome('get', twin.get());
  await called('get with callback', (done) => twin.get(done));
  await outcome('get of nobody', registry.getTwin(id('nobody')));
  await called('get of nobody with callback', (done) => registry.getTwin(id('nobody'), done));
})();
