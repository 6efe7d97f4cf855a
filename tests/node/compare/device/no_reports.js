// What has no JSON cannot be reported, and a text cannot be called.
'use strict';
const { Client } = require('azure-iot-device');
const { say, hub, called, soon, thrown, Transport } = require('../support');

const device = hub.device();
const client = Client.fromConnectionString(device.connectionString, Transport);

(async () => {
  await client.open();
  const twin = await client.getTwin();
  for (const [name, patch] of [['undefined', undefined], ['a function', () => {}], ['a symbol', Symbol('s')]]) {
    await called(name, (done) => twin.properties.reported.update(patch, done));
  }
  say('there', hub.reported(device));
  thrown('a text as callback', () => typeof twin.properties.reported.update({ a: 1 }, 'then'));
  // In the official AMQP transport what went wrong is in the way.
  await soon(client.close(), 500);
  process.exit();
})();
