'use strict';
// Device and module clients: life cycle, twin, reports, desired changes, errors.

const assert = require('assert');
const { EventEmitter, once } = require('events');
const { Client, ModuleClient, Twin, SharedAccessSignature, X509AuthenticationProvider } = require('azure-iot-device');
const { Mqtt, MqttWs, clientFromConnectionString } = require('azure-iot-device-mqtt');
const amqp = require('azure-iot-device-amqp');
const { Amqp, AmqpWs } = amqp;
const { errors, results, NoRetry } = require('azure-iot-common');
const support = require('./support.js');
const { inspect } = require('util');
const { test } = support;

/** A client with a device of its own, closed when the test ends. */
async function client(t, { transport = Mqtt, name } = {}) {
  const device = await support.device(name);
  const made = Client.fromConnectionString(device.connectionString, transport);
  t.after(() => made.close());
  return { client: made, ...device };
}

for (const transport of [Mqtt, MqttWs, Amqp, AmqpWs]) {
  test(`the sample's story over ${transport.name}`, async (t) => {
    const { client: device, deviceId } = await client(t, { transport });
    const connects = [];
    device.on('connect', (...args) => connects.push(args));
    assert(!Object.keys(await device.open()).some((key) => key !== 'transportObj'));
    assert.deepStrictEqual(connects, [[]]);
    const twin = await device.getTwin();
    assert(twin instanceof Twin && twin instanceof EventEmitter);
    assert.deepStrictEqual({ ...twin.properties.desired }, { $version: 1 });
    const { heard, until } = support.listen(
      twin,
      'properties.desired',
      'properties.desired.climate',
      'properties.desired.climate.max',
    );
    await until(() => heard.length === 1);
    assert.deepStrictEqual(heard, [['properties.desired', { $version: 1 }]]);
    heard.length = 0;
    await support.desire(deviceId, { climate: { max: 20, list: [1, 2] }, gone: 1 });
    await until(() => heard.length === 3);
    assert.deepStrictEqual(heard, [
      ['properties.desired', { climate: { list: [1, 2], max: 20 }, gone: 1, $version: 2 }],
      ['properties.desired.climate', { list: [1, 2], max: 20 }],
      ['properties.desired.climate.max', 20],
    ]);
    await new Promise((resolve, reject) =>
      twin.properties.reported.update({ a: { b: [1, 2, 3] }, c: 1 }, (error) => (error ? reject(error) : resolve())),
    );
    await twin.properties.reported.update({ a: { b: [9] }, c: null });
    assert.deepStrictEqual(JSON.parse(JSON.stringify(twin.properties.reported)), { a: { b: [9] }, $version: 1 });
    assert.deepStrictEqual(await support.reported(deviceId), { a: { b: [9] } });
    assert((await device.close()) instanceof results.Disconnected);
  });
}

test('callbacks get what the official ones get', async (t) => {
  const { client: device } = await client(t);
  const call = (start) => new Promise((resolve) => start((...args) => resolve(args)));
  const opened = await call((done) => device.open(done));
  assert.strictEqual(opened[0], null);
  assert(opened[1] instanceof results.Connected);
  const [error, twin] = await call((done) => device.getTwin(done));
  assert.strictEqual(error, null);
  assert.strictEqual((await call((done) => device.getTwin(done)))[1], twin);
  assert.deepStrictEqual(await call((done) => twin.properties.reported.update({ x: 1 }, done)), [null, undefined, undefined]);
  const closed = await call((done) => device.close(done));
  assert(closed[0] === null && closed[1] instanceof results.Disconnected);
  assert((await device.close()) instanceof results.Disconnected);
});

test('a closed client opens again, and a request opens by itself', async (t) => {
  const { client: device } = await client(t);
  await device.open();
  await device.close();
  const twin = await device.getTwin();
  await twin.properties.reported.update({ again: true });
});

for (const transport of [Mqtt, Amqp]) {
  test(`changes made while the connection is down are heard, once and in order, over ${transport.name}`, async (t) => {
    const relay = await support.relay();
    const device = await support.device('relayed');
    const made = Client.fromConnectionString(`${device.connectionString};GatewayHostName=${relay.host}`, transport);
    t.after(async () => {
      await made.close();
      relay.close();
    });
    const disconnects = [];
    made.on('disconnect', (what) => disconnects.push(what));
    const twin = await made.getTwin();
    const { heard, until } = support.listen(twin, 'properties.desired');
    await support.desire(device.deviceId, { n: 1, old: true });
    await until(() => heard.at(-1)?.[1].n === 1);
    heard.length = 0;
    relay.refuse(true);
    relay.cut();
    await support.desire(device.deviceId, { n: 2 });
    await support.desire(device.deviceId, { n: 3, old: null });
    const update = twin.properties.reported.update({ late: true });
    const back = once(made, 'connect');
    relay.refuse(false);
    await back;
    await until(() => heard.at(-1)?.[1].n === 3);
    await update;
    assert.deepStrictEqual(heard, [['properties.desired', { n: 3, old: null, $version: 4 }]]);
    assert.deepStrictEqual({ ...twin.properties.desired }, { n: 3, $version: 4 });
    assert.deepStrictEqual(disconnects, []);
    assert.deepStrictEqual(await support.reported(device.deviceId), { late: true });
  });

  test(`without retries a lost connection is a disconnect event, over ${transport.name}`, async (t) => {
    const relay = await support.relay();
    const device = await support.device('lost');
    const made = Client.fromConnectionString(`${device.connectionString};GatewayHostName=${relay.host}`, transport);
    t.after(async () => {
      await made.close();
      relay.close();
    });
    made.setRetryPolicy(new NoRetry());
    await made.open();
    const lost = once(made, 'disconnect');
    relay.cut();
    const [what] = await lost;
    assert(what instanceof results.Disconnected && what.transportObj instanceof errors.NotConnectedError, String(what.transportObj));
  });
}

test('a policy of the user decides what is tried again', async (t) => {
  const asked = [];
  const device = Client.fromConnectionString('HostName=127.0.0.1:1;DeviceId=d;SharedAccessKey=AAAAAAAAAAAAAAAAAAAAAA==', Mqtt);
  t.after(() => device.close());
  device.setRetryPolicy({
    shouldRetry: (error) => error.name === 'NotConnectedError',
    nextRetryTimeout: (count, throttled) => {
      asked.push([count, throttled]);
      return count > 2 ? -1 : 1;
    },
  });
  await assert.rejects(device.open(), (error) => error instanceof errors.NotConnectedError && error.code === 'ECONNREFUSED');
  assert(asked.some(([count, throttled]) => count === 1 && throttled === false));
});

test('errors have the official names', async (t) => {
  const refused = Client.fromConnectionString('HostName=127.0.0.1:1;DeviceId=d;SharedAccessKey=AAAAAAAAAAAAAAAAAAAAAA==', Mqtt);
  refused.setRetryPolicy(new NoRetry());
  await assert.rejects(refused.open(), { name: 'NotConnectedError', code: 'ECONNREFUSED', retryable: true, delivery: 'NotSent' });
  const { deviceId } = await support.device();
  const wrong = `HostName=${support.hub.HostName};DeviceId=${deviceId};SharedAccessKey=AAAAAAAAAAAAAAAAAAAAAA==`;
  const stranger = Client.fromConnectionString(wrong, Mqtt);
  await assert.rejects(stranger.open(), (error) => error instanceof errors.UnauthorizedError && error.constructor.name === 'UnauthorizedError');
  await assert.rejects(stranger.getTwin(), { name: 'UnauthorizedError' });
  const { client: device } = await client(t);
  const twin = await device.getTwin();
  await assert.rejects(twin.properties.reported.update({ big: 'x'.repeat(300_000) }), { name: 'ArgumentError', message: /4096 bytes/ });
});

test('what users pass wrongly', async (t) => {
  const { client: device, connectionString, deviceId } = await client(t);
  assert.throws(() => Client.fromConnectionString(undefined, Mqtt), { name: 'ReferenceError', message: "connStr is 'undefined'" });
  assert.throws(() => Client.fromConnectionString(connectionString, undefined), { name: 'TypeError' });
  assert.throws(() => new Client(), { name: 'ReferenceError' });
  assert.throws(() => new Client(new EventEmitter(), 'text'), { name: 'InvalidOperationError' });
  assert.throws(() => device.setOptions(), { name: 'ReferenceError' });
  assert.throws(() => device.setRetryPolicy({}), { name: 'ArgumentError' });
  assert.throws(() => device.setRetryPolicy(), { name: 'ReferenceError' });
  assert.throws(() => device.open('x'), { name: 'TypeError', message: 'Callback has to be a Function' });
  const nonsense = Client.fromConnectionString('nonsense', Mqtt);
  await assert.rejects(nonsense.open(), (error) => error instanceof Error && !/napi/i.test(error.message));
  const { update } = (await device.getTwin()).properties.reported;
  const cyclic = {};
  cyclic.self = cyclic;
  for (const patch of [cyclic, { n: 1n }]) {
    assert.throws(() => update(patch, () => {}), { name: 'TypeError' });
    await assert.rejects(update(patch), { name: 'TypeError' });
  }
  for (const patch of [undefined, () => {}, Symbol('x')]) await assert.rejects(update(patch), { name: 'TypeError' });
  for (const patch of [null, 'text', 7, [1]]) {
    await assert.rejects(update(patch), (error) => error instanceof errors.ArgumentError || error instanceof errors.FormatError);
  }
  assert.throws(() => update({}, 'no function'), { name: 'TypeError' });
  class Reading {
    constructor() {
      this.unit = 'K';
    }
    get ignored() {
      return 1;
    }
  }
  await update({ nan: NaN, at: new Date(0), skipped: undefined, run() {}, custom: { toJSON: () => 7 }, reading: new Reading() });
  assert.deepStrictEqual(await support.reported(deviceId), { at: '1970-01-01T00:00:00.000Z', custom: 7, reading: { unit: 'K' } });
  await update({ buffer: Buffer.from('ab') });
  assert.deepStrictEqual((await support.reported(deviceId)).buffer, { type: 'Buffer', data: [97, 98] });
});

test('options: ca as file and as text, callback and promise', async (t) => {
  const saved = process.env.NODE_EXTRA_CA_CERTS;
  delete process.env.NODE_EXTRA_CA_CERTS;
  t.after(() => (process.env.NODE_EXTRA_CA_CERTS = saved));
  for (const ca of [support.caFile, support.ca]) {
    const { client: device } = await client(t);
    await assert.rejects(device.open(), { name: 'UnauthorizedError', retryable: false });
    assert.strictEqual(await device.setOptions({ ca, keepalive: 60, modelId: 'dtmi:example:lamp;1' }), undefined);
    await device.open();
  }
  const { client: device } = await client(t);
  await device.setOptions({ productInfo: 'lamp/1' });
  await new Promise((resolve, reject) => device.setOptions({ ca: support.ca }, (error) => (error ? reject(error) : resolve())));
  await device.open();
  await assert.rejects(device.setOptions({ cert: 'x', key: 'y' }), { name: 'ArgumentError' });
  await assert.rejects(device.setOptions({ productInfo: 'late' }), /before initiating/);
});

test('given tokens, and new ones', async (t) => {
  const { deviceId, key } = await support.device();
  const sas = (seconds) => support.token(`${support.hub.HostName}/devices/${deviceId}`, key, undefined, seconds);
  const device = Client.fromSharedAccessSignature(sas(3600), Mqtt);
  t.after(() => device.close());
  await device.open();
  const [error, updated] = await new Promise((resolve) => device.updateSharedAccessSignature(sas(7200), (...args) => resolve(args)));
  assert(error === null && updated instanceof results.SharedAccessSignatureUpdated);
  await device.getTwin();
  assert.strictEqual(SharedAccessSignature.parse(sas(60)).sr, encodeURIComponent(`${support.hub.HostName}/devices/${deviceId}`));
});

test('modules have twins', async (t) => {
  const { deviceId } = await support.device();
  const connectionString = await support.module(deviceId, 'm');
  const made = ModuleClient.fromConnectionString(connectionString, Mqtt);
  t.after(() => made.close());
  const twin = await made.getTwin();
  await twin.properties.reported.update({ here: true });
  const found = await support.backend('GET', `/twins/${deviceId}/modules/m`);
  assert.strictEqual(found.properties.reported.here, true);
  process.env.IotHubConnectionString = connectionString;
  t.after(() => delete process.env.IotHubConnectionString);
  const other = await ModuleClient.fromEnvironment(Mqtt);
  t.after(() => other.close());
});

test('clientFromConnectionString', async (t) => {
  const { connectionString } = await support.device();
  for (const [make, transport] of [[clientFromConnectionString, Mqtt], [amqp.clientFromConnectionString, Amqp]]) {
    const made = make(connectionString);
    t.after(() => made.close());
    assert(made instanceof Client && made._transport instanceof transport);
    await made.open();
  }
});

test('what is printed of a client shows no secret', async (t) => {
  const { client: device, key } = await client(t);
  const twin = await device.getTwin();
  const x509 = Client.fromAuthenticationProvider(X509AuthenticationProvider.fromX509Options('d', 'h', { cert: 'c', key: 'pri-vate' }), Amqp);
  await x509.setOptions({ cert: 'c', key: 'pri-vate', passphrase: 'pri-vate' });
  const sas = Client.fromSharedAccessSignature(support.token(`${support.hub.HostName}/devices/d`, key), Mqtt);
  const shown = inspect([device, twin, x509, sas, device._transport._authenticationProvider], { depth: 20, showHidden: false });
  assert(!shown.includes(key) && !shown.includes('sig=') && !shown.includes('pri-vate'), shown);
  assert(shown.includes('Mqtt { connected: true }'), shown);
});

test('one class under both names', () => {
  const mqtt = require('azure-iot-device-mqtt');
  assert(mqtt.Amqp === Amqp && mqtt.AmqpWs === AmqpWs && AmqpWs.prototype instanceof Amqp && MqttWs.prototype instanceof Mqtt);
  assert.deepStrictEqual([Mqtt, MqttWs, Amqp, AmqpWs].map(({ name }) => name), ['Mqtt', 'MqttWs', 'Amqp', 'AmqpWs']);
});
