// The connection is lost before a report is answered.
'use strict';
const { Client } = require('azure-iot-device');
const { say, hub, soon, hear, Transport } = require('../support');

const device = hub.device();
const client = Client.fromConnectionString(device.connectionString, Transport);
hear(client, 'disconnect', 'error');

(async () => {
  await client.open();
  const twin = await client.getTwin();
  hub.failRequests(1, 'Cut');
  const answered = new Promise((resolve) => twin.properties.reported.update({ a: 1 }, (err) => resolve(err ? err.name : 'reported')));
  const answer = await soon(answered);
  say('answer', answer);
  say('there', hub.reported(device).a);
  await client.close();
})();
