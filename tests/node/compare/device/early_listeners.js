// Listeners on a twin that was not read yet, and reading it again.
'use strict';
const { Client } = require('azure-iot-device');
const { say, hub, until, turn, Transport } = require('../support');

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
  await turn();
  await new Promise((resolve) => found.enableTwinDesiredPropertiesUpdates(resolve));
  hub.desire(device, { fan: { speed: 2 } });
  await until(() => found.properties.desired.fan.speed === 2);
  await found.get();
  await turn();
  await client.close();
})();
