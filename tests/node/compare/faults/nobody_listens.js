// A hub that is not there, and a policy that gives up.
'use strict';
const { Client } = require('azure-iot-device');
const { NoRetry } = require('azure-iot-common');
const { called, hear, Transport } = require('../support');

const client = Client.fromConnectionString('HostName=127.0.0.99;DeviceId=d;SharedAccessKey=' + Buffer.alloc(32, 1).toString('base64'), Transport);
client.setRetryPolicy(new NoRetry());
hear(client, 'connect', 'disconnect', 'error');

(async () => {
  await called('open', (done) => client.open((err) => done(err.name, err instanceof Error)));
  await called('close', (done) => client.close(done));
})();
