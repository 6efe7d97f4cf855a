// Telemetry that no hub takes.
'use strict';
const { Message } = require('azure-iot-device');
const { hub, outcome, messenger } = require('../support');
const { NoRetry } = require('azure-iot-common');

(async () => {
  const client = await messenger(hub.device());
  client.removeAllListeners('disconnect');
  client.setRetryPolicy(new NoRetry());
  await outcome('large', client.sendEvent(new Message(Buffer.alloc(255 * 1024))));
  await outcome('too large', client.sendEvent(new Message(Buffer.alloc(256 * 1024 + 1))));
  await client.close();
})();
