// A report without a callback.
'use strict';
const { Client } = require('azure-iot-device');
const { say, hub, outcome, soon, Transport } = require('../support');

const device = hub.device();
const client = Client.fromConnectionString(device.connectionString, Transport);

(async () => {
  await client.open();
  const twin = await client.getTwin();
  await outcome('report', twin.properties.reported.update({ a: 1 }));
  say('there', hub.reported(device).a);
  // The official AMQP transport waits 45 s for the link that its exception went through.
  await soon(client.close(), 500);
  process.exit();
})();
