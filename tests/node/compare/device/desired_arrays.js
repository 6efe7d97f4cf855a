// Arrays in desired changes replace each other.
'use strict';
const { Client } = require('azure-iot-device');
const { say, hub, next, Transport } = require('../support');

const device = hub.device();
hub.desire(device, { list: [1, 2, 3] });
const client = Client.fromConnectionString(device.connectionString, Transport);

(async () => {
  await client.open();
  const twin = await client.getTwin();
  const end = next(twin, 'properties.desired.end');
  await new Promise((resolve) => twin.enableTwinDesiredPropertiesUpdates(resolve));
  hub.desire(device, { list: [9], end: true });
  await end;
  say('copy', twin.properties.desired.list);
  await client.close();
})();
