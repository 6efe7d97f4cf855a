// Opening and closing, also twice.
'use strict';
const { Client } = require('azure-iot-device');
const { hub, called, outcome, hear, Transport } = require('../support');

const client = Client.fromConnectionString(hub.device().connectionString, Transport);
hear(client, 'connect', 'disconnect', 'error');

(async () => {
  await outcome('open', client.open());
  await outcome('open again', client.open());
  await outcome('close', client.close());
  await outcome('close again', client.close());
  await called('open with callback', (done) => client.open(done));
  await called('open again with callback', (done) => client.open(done));
  await called('close with callback', (done) => client.close(done));
  await called('close again with callback', (done) => client.close(done));
})();
