// Options that do not say when to ask for messages.
'use strict';
const { Client } = require('azure-iot-device');
const { say, hub, soon, Transport } = require('../support');

const client = Client.fromConnectionString(hub.device().connectionString, Transport);

(async () => {
  say('options', await soon(client.setOptions({ productInfo: 'product' }), 300));
  await client.close();
})();
