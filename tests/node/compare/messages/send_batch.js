// Many messages in one request: over HTTPS only.
'use strict';
const { Message } = require('azure-iot-device');
const { hub, called, outcome, messenger } = require('../support');

(async () => {
  const client = await messenger(hub.device());
  const full = new Message('b');
  full.messageId = 'm-1';
  full.properties.add('alert', 'no');
  const batch = [new Message('a'), full, new Message(Buffer.from([0, 255]))];
  await called('with callback', (done) => client.sendEventBatch(batch, done));
  await outcome('with a promise', client.sendEventBatch(batch));
  await outcome('one', client.sendEventBatch([full]));
  await outcome('close', client.close());
})();
