// Product information that is no text.
'use strict';
const { Client } = require('azure-iot-device');
const { hub, called, outcome, Transport } = require('../support');

const client = Client.fromConnectionString(hub.device().connectionString, Transport);

(async () => {
  await called('set', (done) => client.setOptions({ productInfo: 5 }, done));
  await outcome('open', client.open());
  await outcome('close', client.close());
})();
