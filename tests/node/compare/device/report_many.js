// Many reports at once: each is answered, in order, and the last one stays.
'use strict';
const { Client } = require('azure-iot-device');
const { say, hub, soon, Transport } = require('../support');

const device = hub.device();
const client = Client.fromConnectionString(device.connectionString, Transport);

(async () => {
  await client.open();
  const twin = await client.getTwin();
  const order = [];
  const all = Array.from({ length: 50 }, (_, n) => new Promise((resolve) =>
    twin.properties.reported.update({ n }, (err) => { order.push(err || n); resolve(); })));
  await soon(Promise.all(all));
  say('order', order);
  say('there', hub.reported(device).n);
  await client.close();
})();
