// What a twin looks like, and that it is always the same object.
'use strict';
const { Client, Twin } = require('azure-iot-device');
const { say, hub, called, Transport } = require('../support');

const device = hub.device();
hub.desire(device, { fan: { speed: 1 }, list: [1, { a: 2 }] });
const client = Client.fromConnectionString(device.connectionString, Transport);

(async () => {
  await client.open();
  const twin = await client.getTwin();
  say('is', twin instanceof Twin, Twin.errorEvent, Twin.desiredPath);
  say('desired', twin.properties.desired);
  say('reported', twin.properties.reported, Object.keys(twin.properties.reported));
  say('as JSON', JSON.stringify(twin.properties));
  const before = twin.properties;
  const again = await client.getTwin();
  say('same twin', again === twin, 'same properties', again.properties === before);
  await called('getTwin with callback', (done) => client.getTwin((err, found) => done(err, found === twin)));
  await called('get with callback', (done) => twin.get((err, found) => done(err, found === twin)));
  say('get', (await twin.get()) === twin);
  await client.close();
})();
