// Reports and what they leave, here and in the hub.
'use strict';
const { Client } = require('azure-iot-device');
const { say, hub, called, Transport } = require('../support');

const device = hub.device();
const client = Client.fromConnectionString(device.connectionString, Transport);

(async () => {
  await client.open();
  const twin = await client.getTwin();
  const report = (name, patch) => called(name, (done) => twin.properties.reported.update(patch, done));
  await report('first', { a: { b: 1, c: 2 }, gone: true, text: 'ä€😀', zero: 0, no: false, empty: '' });
  say('here', JSON.stringify(twin.properties.reported));
  await report('second', { a: { b: null, d: 4 }, gone: null });
  say('here', JSON.stringify(twin.properties.reported));
  await report('nothing', {});
  await report('undefined members', { a: { e: undefined }, f: undefined });
  say('here', JSON.stringify(twin.properties.reported));
  say('there', hub.reported(device));
  const read = await client.getTwin();
  say('read', JSON.stringify(read.properties.reported));
  await client.close();
})();
