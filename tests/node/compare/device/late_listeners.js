// Listeners that come when the twin is there already hear what is there.
'use strict';
const { Client } = require('azure-iot-device');
const { say, hub, soon, Transport } = require('../support');

const device = hub.device();
hub.desire(device, { fan: { speed: 1 }, zero: 0, text: 'x' });
const client = Client.fromConnectionString(device.connectionString, Transport);
const pause = () => soon(new Promise((resolve) => setTimeout(resolve, 30)));

(async () => {
  await client.open();
  const twin = await client.getTwin();
  twin.on('properties.desired', (value) => say('whole', value));
  say('nothing yet');
  await pause();
  twin.on('properties.desired.fan.speed', (value) => say('speed', value));
  await pause();
  twin.on('properties.desired.zero', (value) => say('zero', value));
  twin.on('properties.desired.nothing', (value) => say('nothing', value));
  twin.on('properties.desired.fan.nothing.deeper', (value) => say('deeper', value));
  await pause();
  twin.once('properties.desired.text', (value) => say('once', value));
  await pause();
  twin.on('properties.desired.text', (value) => say('first', value));
  twin.on('properties.desired.text', (value) => say('second', value));
  await pause();
  twin.on('other', () => say('other'));
  await pause();
  say('again');
  await client.getTwin();
  await pause();
  await client.close();
})();
