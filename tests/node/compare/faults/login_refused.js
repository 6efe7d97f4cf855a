// The hub refuses the login: the client does not try again.
'use strict';
const { Client } = require('azure-iot-device');
const { hub, outcome, hear, Transport } = require('../support');

const client = Client.fromConnectionString(hub.device().connectionString, Transport);
hear(client, 'connect', 'disconnect', 'error');

(async () => {
  hub.refuseLogins(1, 'NotAuthorized');
  await outcome('open', client.open());
  await outcome('open again', client.open());
  await outcome('close', client.close());
})();
