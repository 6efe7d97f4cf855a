// Calls with what callers pass by mistake: thrown, rejected, or taken as left out.
'use strict';
const { Client, Twin } = require('azure-iot-device');
const { say, hub, outcome, thrown, Transport } = require('../support');

const { connectionString } = hub.device();
const client = Client.fromConnectionString(connectionString, Transport);
const kind = (value) => (value instanceof Promise ? 'a promise' : value === undefined ? undefined : value.constructor.name);

(async () => {
  thrown('no constructor', () => kind(Client.fromConnectionString(connectionString, 'Mqtt')));
  thrown('an object as constructor', () => kind(Client.fromConnectionString(connectionString, {})));
  thrown('no transport', () => kind(new Client()));
  thrown('no transport, and a null', () => kind(new Client(null)));
  await outcome('open with null', client.open(null));
  await outcome('open with undefined', client.open(undefined));
  await outcome('open with zero', client.open(0));
  await outcome('open with an empty text', client.open(''));
  thrown('open with true', () => kind(client.open(true)));
  thrown('options of a number', () => kind(client.setOptions(0)));
  thrown('options of an empty text', () => kind(client.setOptions('')));
  thrown('options of null, with callback', () => kind(client.setOptions(null, () => {})));
  await outcome('empty options', client.setOptions({}));
  await outcome('foreign options', client.setOptions({ colour: 'blue', keepalive: undefined }));
  thrown('transport options', () => kind(client.setTransportOptions(undefined, () => {})));
  await outcome('transport options with a promise', client.setTransportOptions());
  thrown('a policy that is text', () => client.setRetryPolicy('often'));
  thrown('a policy that is null', () => client.setRetryPolicy(null));
  thrown('a policy without functions', () => client.setRetryPolicy({ shouldRetry: true, nextRetryTimeout: 5 }));
  thrown('a token that is empty', () => client.updateSharedAccessSignature(''));
  const twin = await client.getTwin();
  say('a twin', twin instanceof Twin, Object.keys(twin.properties).sort(), Object.keys(twin.properties.reported));
  thrown('a listener that is none', () => kind(twin.on('properties.desired', 'listener')));
  thrown('a listener for a symbol', () => kind(twin.on(Symbol('s'), () => {})));
  thrown('a listener beside desired', () => kind(twin.on('properties.desirable', () => {})));
  thrown('get with a text', () => kind(twin.get('now')));
  thrown('getTwin with an array', () => kind(client.getTwin([])));
  await outcome('close with null', client.close(null));
  await outcome('close again', client.close());
})();
