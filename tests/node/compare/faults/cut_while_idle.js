// The connection is lost: the next report goes out on a new one.
'use strict';
const { Client } = require('azure-iot-device');
const { say, hub, called, hear, Transport } = require('../support');

const device = hub.device();
const client = Client.fromConnectionString(device.connectionString, Transport);
hear(client, 'disconnect', 'error');

(async () => {
  await client.open();
  const twin = await client.getTwin();
  hub.cut();
  await new Promise((resolve) => setTimeout(resolve, 300));
  await called('report', (done) => twin.properties.reported.update({ a: 1 }, done));
  say('there', hub.reported(device).a);
  await client.close();
})();
