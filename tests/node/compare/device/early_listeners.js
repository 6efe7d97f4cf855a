// Listeners on a twin that was not read yet, and reading it again.
'use strict';
const { Client } = require('azure-iot-device');
const { say, hub, Transport } = require('../support');

const device = hub.device();
hub.desire(device, { fan: { speed: 1 } });
const client = Client.fromConnectionString(device.connectionString, Transport);

(async () => {
  await client.open();
  const pending = client.getTwin();
  const twin = client._twin;
  say('before', twin && twin.properties);
  const found = await pending;
  found.on('properties.desired', (value) => say('whole', value));
  found.on('properties.desired.fan', (value) => say('fan', value));
  await new Promise((resolve) => setTimeout(resolve, 50));
  hub.desire(device, { fan: { speed: 2 } });
  await new Promise((resolve) => setTimeout(resolve, 200));
  await found.get();
  await new Promise((resolve) => setTimeout(resolve, 50));
  await client.close();
})();
