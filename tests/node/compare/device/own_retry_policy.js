// A retry policy of one's own decides.
'use strict';
const { Client } = require('azure-iot-device');
const { NoRetry } = require('azure-iot-common');
const { hub, called, Transport } = require('../support');

(async () => {
  const { connectionString } = hub.device();
  const client = Client.fromConnectionString(connectionString, Transport);
  client.setRetryPolicy(new NoRetry());
  await called('open', (done) => client.open(done));
  await called('close', (done) => client.close(done));
})();
