// Twins from the device's side: reports, desired changes, reconnects, token renewal, refusals.
'use strict';
const { test } = require('node:test');
const { SharedAccessSignature } = require('azure-iot-device');
const { assert, Client, transports, registry, hostName, createDevice, withDevice, soon, next, report, refusal } = require('../support');

for (const [name, Transport] of Object.entries(transports)) {
  test(`${name}: reported properties reach the backend`, async () => {
    const device = await createDevice('reported');
    await withDevice(device, Transport, async (client) => {
      const twin = await client.getTwin();
      await report(twin, { a: { b: 1, c: [1, { d: 'x' }] }, gone: true });
      await report(twin, { a: { b: 2 }, gone: null });
    });
    const { responseBody } = await registry.getTwin(device.deviceId);
    const { $metadata, $version, ...reported } = responseBody.properties.reported;
    assert.deepEqual(reported, { a: { b: 2, c: [1, { d: 'x' }] } });
    assert.equal($version, 3);
    assert.match($metadata.a.b.$lastUpdated, /^\d{4}-\d\d-\d\dT.*Z$/);
    // A report moves the version of the twin, not its etag.
    assert.equal(responseBody.version, 4);
    assert.equal(responseBody.etag, 'AAAAAAAAAAE=');
  });

  test(`${name}: desired changes arrive in order, with nulls and versions`, async () => {
    const device = await createDevice('desired');
    await withDevice(device, Transport, async (client) => {
      const twin = await client.getTwin();
      const heard = [];
      const all = new Promise((resolve) => twin.on('properties.desired', (delta) => {
        heard.push(structuredClone(delta)); // the first is the twin's own section, which later changes merge into
        if (heard.length === 4) resolve();
      }));
      // The listener hears the cached section first; by then the subscription is on its way.
      const path = next(twin, 'properties.desired.climate.min');
      await soon(new Promise((resolve) => twin.enableTwinDesiredPropertiesUpdates(resolve)), 'the subscription');
      await registry.updateTwin(device.deviceId, { properties: { desired: { climate: { min: 5, max: 9 } } } }, '*');
      await registry.updateTwin(device.deviceId, { properties: { desired: { climate: { max: null } } } }, '*');
      await registry.updateTwin(device.deviceId, { properties: { desired: { climate: { min: 5 } } } }, '*');
      await soon(all, 'four desired events');
      assert.deepEqual(heard, [
        { $version: 1 },
        { climate: { min: 5, max: 9 }, $version: 2 },
        { climate: { max: null }, $version: 3 },
        { climate: { min: 5 }, $version: 4 },
      ]);
      assert.equal(await path, 5);
      assert.deepEqual(twin.properties.desired, { climate: { min: 5 }, $version: 4 });
    });
  });

  test(`${name}: changes of tags alone are not told to the device`, async () => {
    const device = await createDevice('tags');
    await withDevice(device, Transport, async (client) => {
      const twin = await client.getTwin();
      const heard = [];
      const last = new Promise((resolve) => twin.on('properties.desired', (delta) => {
        heard.push(delta.$version);
        if (delta.end) resolve();
      }));
      await soon(new Promise((resolve) => twin.enableTwinDesiredPropertiesUpdates(resolve)), 'the subscription');
      await registry.updateTwin(device.deviceId, { tags: { secret: 'plan' } }, '*');
      await registry.updateTwin(device.deviceId, { properties: { desired: { end: true } } }, '*');
      await soon(last, 'the last change');
      assert.deepEqual(heard, [1, 2]);
      assert.equal(JSON.stringify((await client.getTwin()).properties).includes('secret'), false);
    });
  });

  test(`${name}: the subscription outlives a token renewal, which subscribes to nothing`, async () => {
    const device = await createDevice('renewal');
    const token = (seconds) => SharedAccessSignature.create(hostName, device.deviceId, device.key,
      Math.floor(Date.now() / 1000) + seconds).toString();
    const client = Client.fromSharedAccessSignature(token(600), Transport);
    client.on('error', () => {});
    await client.open();
    try {
      const twin = await client.getTwin();
      const change = soon(new Promise((resolve) =>
        twin.on('properties.desired', (delta) => delta.after && resolve(delta))), 'the change after the renewal');
      await soon(new Promise((resolve) => twin.enableTwinDesiredPropertiesUpdates(resolve)), 'the subscription');
      // Over MQTT a new token means hanging up and calling again; this client leans on the hub's memory (clean session 0).
      await soon(new Promise((resolve, reject) =>
        client.updateSharedAccessSignature(token(1200), (err) => (err ? reject(err) : resolve()))), 'the renewal');
      await registry.updateTwin(device.deviceId, { properties: { desired: { after: true } } }, '*');
      assert.deepEqual(await change, { after: true, $version: 2 });
    } finally {
      await client.close();
    }
  });

  test(`${name}: a key that is wrong, a device that is unknown or disabled: UnauthorizedError`, async () => {
    const good = await createDevice('auth');
    const disabled = await createDevice('disabled', { status: 'disabled' });
    const wrong = Buffer.alloc(32, 7).toString('base64');
    const cases = {
      'wrong key': `HostName=${hostName};DeviceId=${good.deviceId};SharedAccessKey=${wrong}`,
      'unknown device': `HostName=${hostName};DeviceId=nobody-${good.deviceId};SharedAccessKey=${good.key}`,
      'disabled device': disabled.connectionString,
    };
    for (const [what, connectionString] of Object.entries(cases)) {
      const client = Client.fromConnectionString(connectionString, Transport);
      client.on('error', () => {});
      const err = await refusal(client.open(), what);
      assert.equal(err.name, 'UnauthorizedError', `${what}: ${err}`);
      await client.close();
    }
  });

  test(`${name}: reports that break a rule are refused and change nothing`, async () => {
    const device = await createDevice('rules');
    await withDevice(device, Transport, async (client) => {
      const twin = await client.getTwin();
      const deep = (levels) => (levels === 0 ? 1 : { a: deep(levels - 1) });
      const big = Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`k${i}`, 'x'.repeat(4000)]));
      for (const [what, patch, says] of [
        ['a $ key', { $version: 3 }, /\$/],
        ['a key with a dot', { 'a.b': 1 }, /invalid characters/],
        ['a key with a hash', { 'a#b': 1 }, /invalid characters/],
        ['a key with a space', { 'a b': 1 }, /invalid characters/],
        ['a long string', { a: 'x'.repeat(4097) }, /4096|4 ?KB/i],
        ['eleven levels of objects', deep(12), /depth|level|nest|deep/i],
        ['a large integer', { a: 4503599627370496 }, /4503599627370495/],
        ['a null in an array', { a: [1, null] }, /null/],
        ['too much', big, /size/],
      ]) {
        const err = await refusal(report(twin, patch), what);
        assert.match(err.message, says, what);
      }
      await report(twin, { fine: deep(10) }); // ten levels of objects, then a leaf: as deep as is allowed
      const now = await client.getTwin();
      assert.equal(now.properties.reported.$version, 2);
      assert.deepEqual(Object.keys(now.properties.reported).sort(), ['$version', 'fine', 'update']);
    });
  });

  test(`${name}: a second connection takes over, the first is ended`, async () => {
    const device = await createDevice('takeover');
    const first = Client.fromConnectionString(device.connectionString, Transport);
    first.on('error', () => {});
    await first.open();
    await first.getTwin();
    // Over MQTT the connection is the device's own and ends; over AMQP its links end, for the connection may be others', too,
    // and this client hangs up for it.
    const [emitter, event] = name.startsWith('Mqtt') ? [first._transport._mqtt._mqttClient, 'close'] : [first._transport, 'disconnect'];
    const cut = next(emitter, event);
    await withDevice(device, Transport, async (second) => {
      assert.ok(await second.getTwin());
      const why = await cut;
      if (event === 'disconnect') assert.equal(why.amqpError.condition, 'amqp:link:stolen');
      assert.ok(await second.getTwin());
    });
    await first.close();
  });

  test(`${name}: telemetry is acknowledged`, async () => {
    const { Message } = require('azure-iot-common');
    const device = await createDevice('telemetry');
    await withDevice(device, Transport, async (client) => {
      const message = new Message(JSON.stringify({ temperature: 21 }));
      message.properties.add('alert', 'no');
      const result = await soon(client.sendEvent(message), 'PUBACK');
      assert.equal(result.constructor.name, 'MessageEnqueued');
    });
  });
}
