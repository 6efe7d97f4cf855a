// A process with a closed client ends; listeners and timers of the client do not hold it.
'use strict';
const { Client } = require('azure-iot-device');
const { say, hub, Transport } = require('../support');

(async () => {
  const device = hub.device();
  const client = Client.fromConnectionString(device.connectionString, Transport);
  await client.open();
  const twin = await client.getTwin();
  twin.on('properties.desired', () => {});
  await client.close();
  const begun = Date.now();
  process.on('exit', () => say('ended at once', Date.now() - begun < 2000));
})();
