// A listener for messages subscribes; taking it away unsubscribes.
'use strict';
const { Client } = require('azure-iot-device');
const { say, hub, hear, Transport } = require('../support');

const client = Client.fromConnectionString(hub.device().connectionString, Transport);
hear(client, 'disconnect', 'error');

(async () => {
  await client.open();
  const listener = () => {};
  client.on('message', listener);
  await new Promise((resolve) => setTimeout(resolve, 100));
  client.removeListener('message', listener);
  await new Promise((resolve) => setTimeout(resolve, 100));
  say('twin works', (await client.getTwin()).properties.desired);
  await client.close();
})();
