// Telemetry in all the forms it is given in.
'use strict';
const { Message } = require('azure-iot-device');
const { hub, called, outcome, messenger } = require('../support');

(async () => {
  const client = await messenger(hub.device());
  await called('with callback', (done) => client.sendEvent(new Message('text'), done));
  await outcome('with a promise', client.sendEvent(new Message('text')));
  await outcome('bytes', client.sendEvent(new Message(Buffer.from([0, 255, 128]))));
  await outcome('nothing', client.sendEvent(new Message('')));
  const full = new Message('{"temperature":21.5}');
  full.messageId = 'm-1';
  full.correlationId = 'c-1';
  full.contentType = 'application/json';
  full.contentEncoding = 'utf-8';
  full.expiryTimeUtc = Date.UTC(2030, 0);
  full.ack = 'full';
  full.properties.add('alert', 'no');
  full.properties.add('alert', 'twice');
  full.properties.add('sign', 'a&b=c d');
  full.properties.add('dt-subject', 'sensor');
  await outcome('everything', client.sendEvent(full));
  full.setAsSecurityMessage();
  await outcome('security', client.sendEvent(full));
  const foreign = new Message('text');
  foreign.userId = 'u-1';
  await outcome('a user', client.sendEvent(foreign));
  const dated = new Message('text');
  dated.expiryTimeUtc = '2030-01-02T03:04:05Z';
  await outcome('an expiry as text', client.sendEvent(dated));
  const spaced = new Message('text');
  spaced.properties.add('with space', 'x');
  await outcome('a name with a space', client.sendEvent(spaced));
  await outcome('many', Promise.all(Array.from({ length: 20 }, (_, n) => client.sendEvent(new Message(String(n))))));
  await outcome('close', client.close());
})();
