'use strict';
// The public seams stay JavaScript: transports, authentication providers and retry policies of the user's own.

const assert = require('assert');
const { EventEmitter, once } = require('events');
const { Client, SharedAccessKeyAuthenticationProvider, X509AuthenticationProvider } = require('azure-iot-device');
const { Mqtt } = require('azure-iot-device-mqtt');
const { AuthenticationType, errors, results } = require('azure-iot-common');
const support = require('./support.js');
const { test } = support;

/** A transport as users' unit tests write them. */
class FakeTransport extends EventEmitter {
  constructor() {
    super();
    this.calls = [];
    this.failures = [];
    this.twin = { desired: { a: 1, $version: 1 }, reported: { r: 1, $version: 1 } };
  }
  answer(name, callback, value) {
    this.calls.push(name);
    const failure = this.failures.shift();
    setImmediate(() => (failure ? callback(failure) : callback(null, value)));
  }
  connect(callback) {
    this.answer('connect', callback, new results.Connected());
  }
  disconnect(callback) {
    this.answer('disconnect', callback, new results.Disconnected());
  }
  setOptions(options, callback) {
    this.options = options;
    this.answer('setOptions', callback);
  }
  getTwin(callback) {
    this.answer('getTwin', callback, this.twin);
  }
  updateTwinReportedProperties(patch, callback) {
    this.answer('report', callback);
  }
  enableTwinDesiredPropertiesUpdates(callback) {
    this.answer('enable', callback);
  }
}

test('a fake transport', async () => {
  const transport = new FakeTransport();
  const client = new Client(transport);
  assert((await client.open()) instanceof results.Connected);
  await client.setOptions({ ca: 'not a file' });
  assert.strictEqual(transport.options.ca, 'not a file');
  const twin = await client.getTwin();
  assert.strictEqual(twin.properties.desired.a, 1);
  const heard = [];
  twin.on('properties.desired.b', (value) => heard.push(value));
  transport.emit('twinDesiredPropertiesUpdate', { b: 2, $version: 2 });
  // Late and repeated ones change nothing.
  transport.emit('twinDesiredPropertiesUpdate', { b: 1, $version: 1 });
  transport.emit('twinDesiredPropertiesUpdate', { b: 2, $version: 2 });
  assert.deepStrictEqual(heard, [2]);
  assert.deepStrictEqual({ ...twin.properties.desired }, { a: 1, b: 2, $version: 2 });
  await twin.properties.reported.update({ r: null, s: 1 });
  assert.deepStrictEqual(JSON.parse(JSON.stringify(twin.properties.reported)), { s: 1, $version: 1 });
  const gone = once(client, 'disconnect');
  transport.emit('disconnect', new errors.UnauthorizedError('no'));
  assert((await gone)[0].transportObj instanceof errors.UnauthorizedError);
  await client.close();
  assert.deepStrictEqual(transport.calls, ['connect', 'setOptions', 'getTwin', 'enable', 'report', 'disconnect']);
});

test('around a fake transport, operations are tried again as the policy says', async () => {
  const transport = new FakeTransport();
  const client = new Client(transport);
  client.setRetryPolicy({ shouldRetry: (error) => error.name === 'TimeoutError', nextRetryTimeout: () => 0 });
  transport.failures.push(new errors.TimeoutError('1'), new errors.TimeoutError('2'));
  await client.open();
  assert.deepStrictEqual(transport.calls, ['connect', 'connect', 'connect']);
  transport.failures.push(new errors.UnauthorizedError('no'));
  await assert.rejects(client.getTwin(), { name: 'UnauthorizedError' });
});

test('a dropped fake transport gets its subscription again', async () => {
  const transport = new FakeTransport();
  const client = new Client(transport);
  const twin = await client.getTwin();
  twin.on('properties.desired', () => {});
  transport.emit('disconnect', new errors.NotConnectedError('lost'));
  assert.strictEqual(transport.calls.filter((call) => call === 'enable').length, 2);
});

test('a provider of the user’s own signs, and its new tokens are used', async (t) => {
  const { deviceId, key } = await support.device();
  const host = support.hub.HostName;
  class Hsm extends EventEmitter {
    type = AuthenticationType.Token;
    asked = 0;
    getDeviceCredentials(callback) {
      this.asked++;
      setImmediate(callback, null, { host, deviceId, sharedAccessSignature: support.token(`${host}/devices/${deviceId}`, key) });
    }
    stop() {}
  }
  const provider = new Hsm();
  const client = Client.fromAuthenticationProvider(provider, Mqtt);
  t.after(() => client.close());
  await client.open();
  assert.strictEqual(provider.asked, 1);
  provider.emit('newTokenAvailable', { sharedAccessSignature: support.token(`${host}/devices/${deviceId}`, key, undefined, 7200) });
  await client.getTwin();
});

test('a provider that fails is heard', async () => {
  class Broken extends EventEmitter {
    type = AuthenticationType.Token;
    getDeviceCredentials(callback) {
      callback(new Error('no signature today'));
    }
  }
  await assert.rejects(Client.fromAuthenticationProvider(new Broken(), Mqtt).open(), /no signature today/);
});

test('a subclass that signs elsewhere is asked to', async (t) => {
  const { connectionString, key } = await support.device();
  let signed = 0;
  class Remote extends SharedAccessKeyAuthenticationProvider {
    _sign(resource, expiry, callback) {
      signed++;
      super._sign(resource, expiry, callback);
    }
  }
  const { _credentials } = SharedAccessKeyAuthenticationProvider.fromConnectionString(connectionString);
  const provider = new Remote(_credentials);
  const client = Client.fromAuthenticationProvider(provider, Mqtt);
  t.after(async () => {
    await client.close();
    provider.stop();
  });
  await client.open();
  assert.strictEqual(signed, 1);
  assert(key);
});

test('renewal options', async (t) => {
  const { connectionString } = await support.device();
  const client = Client.fromConnectionString(connectionString, Mqtt);
  t.after(() => client.close());
  await client.setOptions({ tokenRenewal: { tokenValidTimeInSeconds: 600, tokenRenewalMarginInSeconds: 60 } });
  await assert.rejects(client.setOptions({ tokenRenewal: { tokenValidTimeInSeconds: 60, tokenRenewalMarginInSeconds: 60 } }), {
    name: 'ArgumentError',
  });
  await client.open();
  const x509 = Client.fromAuthenticationProvider(new X509AuthenticationProvider({ host: 'h', deviceId: 'd' }), Mqtt);
  await assert.rejects(x509.setOptions({ tokenRenewal: {} }), { name: 'InvalidOperationError' });
});
