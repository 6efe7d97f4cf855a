// Closed and opened again, with work in between.
'use strict';
const { Client } = require('azure-iot-device');
const { say, hub, outcome, called, hear, Transport } = require('../support');

const device = hub.device();
const client = Client.fromConnectionString(device.connectionString, Transport);
hear(client, 'disconnect', 'error');

(async () => {
  for (const round of [1, 2, 3]) {
    await outcome(`open ${round}`, client.open());
    const twin = await client.getTwin();
    await called(`report ${round}`, (done) => twin.properties.reported.update({ round }, done));
    await outcome(`close ${round}`, client.close());
  }
  say('there', hub.reported(device).round);
})();
