// An answer that never comes.
'use strict';
const { Client } = require('azure-iot-device');
const { hub, soon, say, Transport } = require('../support');

const device = hub.device();
const client = Client.fromConnectionString(device.connectionString, Transport);

(async () => {
  await client.open();
  const twin = await client.getTwin();
  hub.failRequests(1, 'LoseAnswer');
  const answered = new Promise((resolve) => twin.properties.reported.update({ a: 1 }, (err) => resolve(err ? err.name : 'reported')));
  say('answer', await soon(answered, 1000));
  say('there', hub.reported(device).a);
  await client.close();
})();
