// The connection is lost while somebody listens for desired changes: those made meanwhile arrive.
'use strict';
const { Client } = require('azure-iot-device');
const { say, hub, soon, until, hear, Transport } = require('../support');

const device = hub.device();
const client = Client.fromConnectionString(device.connectionString, Transport);
hear(client, 'disconnect', 'error');

(async () => {
  await client.open();
  const twin = await client.getTwin();
  const heard = [];
  let enough;
  const all = new Promise((resolve) => { enough = resolve; });
  twin.on('properties.desired.n', (n) => { heard.push(n); if (n === 2) enough(); });
  await new Promise((resolve) => twin.enableTwinDesiredPropertiesUpdates(resolve));
  hub.cut();
  hub.desire(device, { n: 1 });
  // The official client leans on what the hub remembers and may miss this one.
  await until(() => heard.includes(1), 1500);
  hub.desire(device, { n: 2 });
  await soon(all);
  say('heard last', heard[heard.length - 1]);
  say('copy', twin.properties.desired.n);
  await client.close();
})();
