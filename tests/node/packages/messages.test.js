'use strict';
// Telemetry and messages from the cloud, over every transport. The backend that sends messages is the official package.

const assert = require('assert');
const { once } = require('events');
const path = require('path');
const { Client, Message } = require('azure-iot-device');
const { Mqtt, MqttWs } = require('azure-iot-device-mqtt');
const { Amqp, AmqpWs } = require('azure-iot-device-amqp');
const http = require('azure-iot-device-http');
const { errors, results } = require('azure-iot-common');
const support = require('./support.js');
const { test } = support;

const { Http } = http;
/** Waits until it is so; messages come one by one, each of them rings. */
async function until(device, condition) {
  while (!condition()) await once(device, 'heard');
}

const official = (name) => require(path.join(process.env.OFFICIAL_PACKAGES, 'node_modules', name));

async function client(t, transport, options) {
  const device = await support.device(`messages-${transport.name}`);
  const made = Client.fromConnectionString(device.connectionString, transport);
  if (options) await made.setOptions(options);
  t.after(() => made.close());
  return { client: made, ...device };
}

/** Sends a message to a device, as a backend does. */
async function send(t, deviceId, message) {
  const { Client: Service } = official('azure-iothub');
  const service = Service.fromConnectionString(process.env.IOTHUB_CONNECTION_STRING);
  await service.open();
  t.after(() => service.close());
  await service.send(deviceId, message);
}

function telemetry() {
  const message = new Message(JSON.stringify({ temperature: 21.5 }));
  message.messageId = 'm-1';
  message.correlationId = 'c-1';
  message.contentType = 'application/json';
  message.contentEncoding = 'utf-8';
  message.expiryTimeUtc = new Date('2030-01-02T03:04:05Z');
  message.properties.add('alert', 'no');
  message.properties.add('dt-subject', 'sensor');
  return message;
}

for (const transport of [Mqtt, MqttWs, Amqp, AmqpWs, Http]) {
  test(`telemetry over ${transport.name}`, async (t) => {
    const { client: device } = await client(t, transport);
    assert((await device.sendEvent(telemetry())) instanceof results.MessageEnqueued);
    await new Promise((resolve, reject) => device.sendEvent(new Message('text'), (error) => (error ? reject(error) : resolve())));
    await device.sendEvent(new Message(Buffer.alloc(1000, 1)));
    await assert.rejects(device.sendEvent(new Message(Buffer.alloc(256 * 1024 + 1))), errors.MessageTooLargeError);
    const strange = telemetry();
    strange.ack = 'perhaps';
    await assert.rejects(device.sendEvent(strange), errors.ArgumentError);
    const batch = [new Message('a'), telemetry()];
    if (transport === Http) assert((await device.sendEventBatch(batch)) instanceof results.MessageEnqueued);
    else await assert.rejects(device.sendEventBatch(batch), errors.NotImplementedError);
    await assert.rejects(device.complete(undefined), ReferenceError);
  });

  test(`messages over ${transport.name}`, async (t) => {
    const { client: device, deviceId } = await client(t, transport, transport === Http && { http: { receivePolicy: { interval: 0.2 } } });
    const heard = [];
    device.on('message', (message) => {
      heard.push(message);
      device.emit('heard');
    });
    await device.open();
    const message = new Message('hello');
    message.messageId = 'id';
    message.ack = 'none';
    message.properties.add('k', 'v');
    await send(t, deviceId, message);
    await until(device, () => heard.length === 1);
    assert(heard[0] instanceof Message);
    assert.strictEqual(heard[0].getData().toString(), 'hello');
    assert.strictEqual(heard[0].messageId, 'id');
    // Over HTTPS the official package leaves the header's prefix on.
    assert.strictEqual(heard[0].properties.getValue(transport === Http ? 'iothub-app-k' : 'k'), 'v');
    if (transport.name.startsWith('Mqtt')) {
      await assert.rejects(device.reject(heard[0]), errors.NotImplementedError);
      await assert.rejects(device.abandon(heard[0]), errors.NotImplementedError);
    } else {
      assert((await device.abandon(heard[0])) instanceof results.MessageAbandoned);
      await until(device, () => heard.length === 2);
      assert.strictEqual(heard[1].messageId, 'id');
      if (transport !== Http) await assert.rejects(device.complete(heard[0]), errors.DeviceMessageLockLostError);
    }
    assert((await device.complete(heard.at(-1))) instanceof results.MessageCompleted);
    // Nobody listens: what is sent waits for the next who does.
    device.removeAllListeners('message');
    await send(t, deviceId, new Message('later'));
    const [later] = await once(device, 'message');
    assert.strictEqual(later.getData().toString(), 'later');
  });
}

test('asked for by hand over HTTPS, and by the other policies', async (t) => {
  const { client: device, deviceId } = await client(t, Http, { http: { receivePolicy: { manualPolling: true } } });
  const heard = [];
  device.on('message', (message) => {
    heard.push(message.getData().toString());
    device.emit('heard');
  });
  for (const text of ['a', 'b']) await send(t, deviceId, new Message(text));
  device._transport.receive();
  await until(device, () => heard.length === 2);
  assert.deepStrictEqual(heard, ['a', 'b']);
  await send(t, deviceId, new Message('c'));
  await device.setOptions({ http: { receivePolicy: { at: new Date(Date.now() - 1) } } });
  await until(device, () => heard.length === 3);
  await send(t, deviceId, new Message('d'));
  await device.setTransportOptions({ cron: '* * * * * *' });
  await until(device, () => heard.length === 4);
  for (const wrong of [{ interval: 1, cron: '* * * * *' }, { interval: -1 }, { interval: 'x' }, { at: 'now' }, { cron: 'soon' }]) {
    await assert.rejects(device.setOptions({ http: { receivePolicy: wrong } }), errors.ArgumentError, JSON.stringify(wrong));
  }
});

test('there are no twins over HTTPS', async (t) => {
  const { client: device } = await client(t, Http);
  await device.open();
  await assert.rejects(device.getTwin(), { name: 'NotImplementedError', message: 'Twin is not implemented over HTTP.' });
  assert.strictEqual(http.clientFromConnectionString(`${'HostName=h;DeviceId=d;SharedAccessKey=AAAA'}`)._transport.constructor, Http);
});
