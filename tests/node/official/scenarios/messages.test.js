// Cloud-to-device messages and telemetry: azure-iothub sends over AMQP, devices receive over every transport.
'use strict';
const { test } = require('node:test');
const { Message } = require('azure-iot-common');
const { Http } = require('azure-iot-device-http');
const { assert, iothub, Client, transports, registry, connectionString, createDevice, soon, refusal } = require('../support');

/** Runs `work` with an open service client, and closes it whatever happens. */
async function withService(Transport, work) {
  const service = iothub.Client.fromConnectionString(connectionString, Transport);
  await service.open();
  try {
    return await work(service);
  } finally {
    await service.close();
  }
}

/** Remembers what is said of messages, for whoever asks later. */
async function listen(service) {
  const told = new Map(), waiting = new Map();
  const receiver = await soon(new Promise((resolve, reject) =>
    service.getFeedbackReceiver((err, found) => (err ? reject(err) : resolve(found)))), 'the receiver of feedback');
  receiver.on('message', (message) => {
    for (const record of JSON.parse(message.data)) {
      told.set(record.originalMessageId, record);
      waiting.get(record.originalMessageId)?.(record);
    }
  });
  return (id) => soon(new Promise((resolve) => {
    if (told.has(id)) resolve(told.get(id));
    waiting.set(id, resolve);
  }), `feedback on ${id}`);
}

/** A message with all that a service can say. */
function message(id, body = id) {
  const made = new Message(body);
  Object.assign(made, { messageId: id, correlationId: `about-${id}`, ack: 'full', contentType: 'application/json',
    contentEncoding: 'utf-8', expiryTimeUtc: Date.now() + 600_000 });
  made.properties.add('colour', 'red & green');
  return made;
}

/** A device's messages, in order, one at a time. */
function inbox(client) {
  const come = [], waiting = [];
  client.on('message', (received) => (waiting.length ? waiting.shift()(received) : come.push(received)));
  return () => soon(come.length ? Promise.resolve(come.shift()) : new Promise((resolve) => waiting.push(resolve)), 'a message');
}

for (const [name, Transport] of Object.entries({ ...transports, Http })) {
  test(`${name}: a device receives what a service sends, waiting or sent meanwhile`, () => withService(name.endsWith('Ws') ? iothub.AmqpWs : iothub.Amqp, async (service) => {
    const feedback = await listen(service);
    const device = await createDevice('messages');
    const ids = [1, 2, 3].map((n) => `${device.deviceId}-${n}`);
    await service.send(device.deviceId, message(ids[0], '{"n":1}'));
    assert.equal((await registry.get(device.deviceId)).responseBody.cloudToDeviceMessageCount, 1);
    const client = Client.fromConnectionString(device.connectionString, Transport);
    client.on('error', () => {});
    await client.open();
    try {
      const next = inbox(client);
      const first = await next();
      assert.equal(first.data.toString(), '{"n":1}');
      assert.equal(first.messageId, ids[0]);
      assert.equal(first.correlationId, `about-${ids[0]}`);
      // Over HTTPS the official package keeps the prefix of a property's name.
      const property = (key) => first.properties.getItem([...Array(first.properties.count()).keys()]
        .find((at) => first.properties.getItem(at).key.replace(/^iothub-app-/, '') === key))?.value;
      assert.equal(property('colour'), 'red & green');
      if (name !== 'Http') assert.equal(first.contentType, 'application/json');
      await client.complete(first);
      assert.equal((await feedback(ids[0])).statusCode, 'Success');
      await service.send(device.deviceId, message(ids[1]));
      const second = await next();
      assert.equal(second.messageId, ids[1]);
      if (/^Mqtt/.test(name)) {
        await client.complete(second);
      } else {
        await client.abandon(second);
        const again = await next();
        assert.equal(again.messageId, ids[1]);
        await client.reject(again);
        const record = await feedback(ids[1]);
        assert.equal(record.statusCode, 'Rejected');
        assert.equal(record.deviceId, device.deviceId);
        assert.equal(record.deviceGenerationId, (await registry.get(device.deviceId)).responseBody.generationId);
      }
      await client.sendEvent(new Message('telemetry'));
      if (name === 'Http') await client.sendEventBatch([new Message('one'), message('two')]);
    } finally {
      await client.close();
    }
    assert.equal((await registry.get(device.deviceId)).responseBody.cloudToDeviceMessageCount, 0);
    // What comes while it is away is there when it is back.
    await service.send(device.deviceId, message(ids[2]));
    const back = Client.fromConnectionString(device.connectionString, Transport);
    back.on('error', () => {});
    const next = inbox(back);
    await back.open();
    try {
      const third = await next();
      assert.equal(third.messageId, ids[2]);
      await back.complete(third);
      assert.equal((await feedback(ids[2])).statusCode, 'Success');
    } finally {
      await back.close();
    }
  }));
}

test('sends that are refused name the reason', () => withService(iothub.Amqp, async (service) => {
  assert.equal((await refusal(service.send('nobody', new Message('x')))).name, 'DeviceNotFoundError');
  const { deviceId } = await createDevice('full');
  const large = await refusal(service.send(deviceId, new Message(Buffer.alloc(64 * 1024 + 1))));
  assert.equal(large.name, 'MessageTooLargeError');
  for (let n = 0; n < 50; n++) await service.send(deviceId, new Message(String(n)));
  const full = await refusal(service.send(deviceId, new Message('one more')));
  assert.equal(full.name, 'DeviceMaximumQueueDepthExceededError');
  assert.equal((await registry.get(deviceId)).responseBody.cloudToDeviceMessageCount, 50);
  // The link lives, and the queue goes with its device.
  const other = await createDevice('other');
  await service.send(other.deviceId, new Message('x'));
  await registry.delete(deviceId);
  assert.equal((await refusal(service.send(deviceId, new Message('x')))).name, 'DeviceNotFoundError');
}));
