// Telemetry that is none, where a caller can catch what it says.
'use strict';
const { Message } = require('azure-iot-device');
const { hub, outcome, thrown, messenger } = require('../support');

const kind = (value) => (value instanceof Promise ? 'a promise' : value);

(async () => {
  const client = await messenger(hub.device());
  thrown('a callback that is none', () => kind(client.sendEvent(new Message('text'), 'later')));
  thrown('a batch, and a callback that is none', () => kind(client.sendEventBatch([new Message('text')], 5)));
  thrown('reserved', () => new Message('text').properties.add('Authorization', 'x'));
  thrown('convertible', () => ['text', Buffer.alloc(1), [1], new ArrayBuffer(1), 5, {}, null].map(Message.isBufferConvertible));
  await outcome('close', client.close());
})();
