// Settling what is settled.
'use strict';
const { hub, outcome, next, messenger } = require('../support');
const { NoRetry } = require('azure-iot-common');

const device = hub.device();

(async () => {
  const client = await messenger(device);
  client.setRetryPolicy(new NoRetry());
  client.on('message', () => {});
  const coming = next(client, 'message');
  hub.send(device, 'text');
  const message = await coming;
  await outcome('complete', client.complete(message));
  await outcome('complete again', client.complete(message));
  await client.close();
})();
