// Listeners that come when the twin is there already hear what is there.
'use strict';
const { Client } = require('azure-iot-device');
const { say, hub, turn, Transport } = require('../support');

const device = hub.device();
hub.desire(device, { fan: { speed: 1 }, zero: 0, text: 'x' });
const client = Client.fromConnectionString(device.connectionString, Transport);

(async () => {
  await client.open();
  const twin = await client.getTwin();
  twin.on('properties.desired', (value) => say('whole', value));
  say('nothing yet');
  await turn();
  twin.on('properties.desired.fan.speed', (value) => say('speed', value));
  await turn();
  twin.on('properties.desired.zero', (value) => say('zero', value));
  twin.on('properties.desired.nothing', (value) => say('nothing', value));
  twin.on('properties.desired.fan.nothing.deeper', (value) => say('deeper', value));
  await turn();
  twin.once('properties.desired.text', (value) => say('once', value));
  await turn();
  twin.on('properties.desired.text', (value) => say('first', value));
  twin.on('properties.desired.text', (value) => say('second', value));
  await turn();
  twin.on('other', () => say('other'));
  await turn();
  say('again');
  await client.getTwin();
  await turn();
  await client.close();
})();
