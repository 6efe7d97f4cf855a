// The hub is unavailable at first: the client tries again.
'use strict';
const { Client } = require('azure-iot-device');
const { hub, outcome, hear, Transport } = require('../support');

const client = Client.fromConnectionString(hub.device().connectionString, Transport);
hear(client, 'connect', 'disconnect', 'error');

(async () => {
  hub.refuseLogins(2, 'Unavailable');
  await outcome('open', client.open());
  await outcome('close', client.close());
})();
