// Reports that are no plain objects.
'use strict';
const { Client } = require('azure-iot-device');
const { say, hub, called, Transport } = require('../support');

const device = hub.device();
const client = Client.fromConnectionString(device.connectionString, Transport);
const cyclic = {};
cyclic.self = cyclic;

(async () => {
  await client.open();
  const twin = await client.getTwin();
  const report = (name, a) => called(name, (done) => twin.properties.reported.update({ a }, done));
  await report('date', new Date(0));
  await report('toJSON', { toJSON: () => ({ made: true }) });
  await report('function', () => {});
  await report('map', new Map([[1, 2]]));
  await report('inherited', Object.create({ inherited: 1 }, { own: { value: 1, enumerable: true } }));
  await report('cyclic', cyclic);
  await report('bigint', 1n);
  say('there', hub.reported(device));
  await client.close();
})();
