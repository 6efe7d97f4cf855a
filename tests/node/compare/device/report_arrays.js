// Arrays in reports replace each other.
'use strict';
const { Client } = require('azure-iot-device');
const { say, hub, called, Transport } = require('../support');

const device = hub.device();
const client = Client.fromConnectionString(device.connectionString, Transport);

(async () => {
  await client.open();
  const twin = await client.getTwin();
  await called('first', (done) => twin.properties.reported.update({ list: [1, 2, 3] }, done));
  await called('second', (done) => twin.properties.reported.update({ list: [9] }, done));
  say('here', twin.properties.reported.list);
  say('there', hub.reported(device).list);
  await client.close();
})();
