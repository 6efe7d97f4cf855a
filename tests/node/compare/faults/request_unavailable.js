// A report that the hub answers with an error, and one after it.
'use strict';
const { Client } = require('azure-iot-device');
const { NoRetry } = require('azure-iot-common');
const { say, hub, called, Transport } = require('../support');

const device = hub.device();
const client = Client.fromConnectionString(device.connectionString, Transport);
client.setRetryPolicy(new NoRetry());

(async () => {
  await client.open();
  const twin = await client.getTwin();
  hub.failRequests(1, 'Unavailable');
  await called('report', (done) => twin.properties.reported.update({ a: 1 }, done));
  await called('report again', (done) => twin.properties.reported.update({ b: 1 }, done));
  say('there', hub.reported(device));
  hub.failRequests(1, 'Unavailable');
  await called('get', (done) => twin.get((err, ...rest) => done(err, rest.length)));
  await client.close();
})();
