// A script that never opens: the first request does.
'use strict';
const { Client } = require('azure-iot-device');
const { say, hub, called, hear, Transport } = require('../support');

const device = hub.device();
const client = Client.fromConnectionString(device.connectionString, Transport);
hear(client, 'disconnect', 'error');

(async () => {
  await called('getTwin', (done) => client.getTwin((err, twin) => done(err, twin && twin.properties.desired)));
  const twin = await client.getTwin();
  await called('report', (done) => twin.properties.reported.update({ a: 1 }, done));
  say('there', hub.reported(device).a);
  await client.close();
})();
