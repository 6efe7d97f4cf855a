// The connection is closed before the hub has answered the login.
'use strict';
const { Client } = require('azure-iot-device');
const { hub, outcome, hear, Transport } = require('../support');

const client = Client.fromConnectionString(hub.device().connectionString, Transport);
hear(client, 'connect', 'disconnect', 'error');

(async () => {
  hub.refuseLogins(1, 'Silence');
  await outcome('open', client.open());
  await outcome('close', client.close());
})();
