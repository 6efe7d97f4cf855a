// Reports that the hub refuses.
'use strict';
const { Client } = require('azure-iot-device');
const { say, hub, called, Transport } = require('../support');

const device = hub.device();
const client = Client.fromConnectionString(device.connectionString, Transport);
const deep = (levels) => (levels === 0 ? 1 : { a: deep(levels - 1) });

(async () => {
  await client.open();
  const twin = await client.getTwin();
  const report = (name, patch) => called(name, (done) => twin.properties.reported.update(patch, done));
  await report('a dollar', { $version: 3 });
  await report('a dot', { 'a.b': 1 });
  await report('a space', { 'a b': 1 });
  await report('a long value', { a: 'x'.repeat(4097) });
  await report('too deep', deep(12));
  await report('an integer too large', { a: 4503599627370496 });
  await report('null in an array', { a: [1, null] });
  await report('too much', Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`k${i}`, 'x'.repeat(4000)])));
  await report('an array', [1]);
  await report('text', 'text');
  await report('a number', 5);
  await report('null', null);
  say('there', hub.reported(device));
  await client.close();
})();
