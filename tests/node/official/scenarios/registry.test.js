// Identities, twins and errors from the backend's side.
'use strict';
const { test } = require('node:test');
const { assert, iothub, registry, connectionString, freshId, createDevice, refusal } = require('../support');

test('a device is created, read, changed, listed and deleted', async () => {
  const deviceId = freshId('crud');
  const created = (await registry.create({ deviceId, status: 'enabled', statusReason: 'new' })).responseBody;
  assert.equal(created.deviceId, deviceId);
  assert.equal(created.connectionState, 'Disconnected');
  assert.equal(created.authentication.type, 'sas');
  for (const slot of ['primaryKey', 'secondaryKey']) {
    assert.equal(Buffer.from(created.authentication.symmetricKey[slot], 'base64').length >= 16, true);
  }
  const read = (await registry.get(deviceId)).responseBody;
  assert.equal(read.etag, created.etag);
  assert.equal(read.generationId, created.generationId);

  const updated = (await registry.update({ deviceId, status: 'disabled', statusReason: 'lost' })).responseBody;
  assert.equal(updated.status, 'disabled');
  assert.notEqual(updated.etag, created.etag);
  assert.equal((await registry.getTwin(deviceId)).responseBody.status, 'disabled');
  assert.ok((await registry.list()).responseBody.some((d) => d.deviceId === deviceId));

  await registry.delete(deviceId);
  assert.equal((await refusal(registry.get(deviceId))).name, 'DeviceNotFoundError');
  assert.equal((await refusal(registry.getTwin(deviceId))).name, 'DeviceNotFoundError');
});

test('keys and thumbprints that the caller chose are kept', async () => {
  const primaryKey = Buffer.alloc(32, 1).toString('base64');
  const secondaryKey = Buffer.alloc(32, 2).toString('base64');
  const sas = await createDevice('own-keys', { authentication: { symmetricKey: { primaryKey, secondaryKey } } });
  assert.deepEqual(sas.identity.authentication.symmetricKey, { primaryKey, secondaryKey });
  const thumbprint = 'A'.repeat(40);
  const x509 = await createDevice('x509', { authentication: { type: 'selfSigned', x509Thumbprint: { primaryThumbprint: thumbprint } } });
  assert.equal(x509.identity.authentication.x509Thumbprint.primaryThumbprint, thumbprint);
  assert.equal((await registry.getTwin(x509.deviceId)).responseBody.authenticationType, 'selfSigned');
});

test('a new twin is as documented', async () => {
  const { deviceId } = await createDevice('new-twin');
  const twin = (await registry.getTwin(deviceId)).responseBody;
  assert.equal(twin.etag, 'AAAAAAAAAAE=');
  assert.equal(twin.version, 2);
  assert.equal(twin.properties.desired.$version, 1);
  assert.equal(twin.properties.reported.$version, 1);
  assert.equal(twin.status, 'enabled');
  assert.equal(twin.connectionState, 'Disconnected');
  assert.equal(twin.cloudToDeviceMessageCount, 0);
  assert.deepEqual(twin.capabilities, { iotEdge: false });
});

test('a twin is patched under its etag, and the stale one is refused', async () => {
  const { deviceId } = await createDevice('etag');
  const twin = (await registry.getTwin(deviceId)).responseBody;
  await twin.update({ tags: { floor: 3 }, properties: { desired: { fan: { speed: 2 } } } });
  assert.equal(twin.etag, 'AAAAAAAAAAI=');
  assert.deepEqual(twin.tags, { floor: 3 });
  assert.equal(twin.properties.desired.fan.speed, 2);
  const err = await refusal(registry.updateTwin(deviceId, { tags: { floor: 4 } }, 'AAAAAAAAAAE='));
  assert.equal(err.name, 'InvalidEtagError');
  await registry.updateTwin(deviceId, { tags: { floor: null, room: 'x' } }, '*');
  assert.deepEqual((await registry.getTwin(deviceId)).responseBody.tags, { room: 'x' });
});

test('a whole twin sent back as a patch changes what it says and nothing else', async () => {
  const { deviceId } = await createDevice('whole');
  const twin = (await registry.getTwin(deviceId)).responseBody;
  const whole = twin.toJSON();
  whole.tags = { a: 1 };
  whole.properties.desired.b = 2;
  await registry.updateTwin(deviceId, whole, twin.etag);
  const after = (await registry.getTwin(deviceId)).responseBody;
  assert.deepEqual(after.tags, { a: 1 });
  assert.equal(after.properties.desired.b, 2);
  assert.equal(after.properties.reported.$version, 1);
});

test('every refusal is the error class that the package documents', async () => {
  const { deviceId } = await createDevice('errors');
  const policy = (name, key) => iothub.Registry.fromConnectionString(
    connectionString.replace(/SharedAccessKeyName=[^;]*/, `SharedAccessKeyName=${name}`)
      .replace(/SharedAccessKey=.*/, `SharedAccessKey=${key}`));
  const wrongKey = Buffer.alloc(32, 9).toString('base64');
  const long = { properties: { desired: { text: 'x'.repeat(4097) } } };
  for (const [what, call, name] of [
    ['create twice', () => registry.create({ deviceId }), 'DeviceAlreadyExistsError'],
    ['unknown device', () => registry.get('no-such-device'), 'DeviceNotFoundError'],
    ['unknown twin', () => registry.updateTwin('no-such-device', { tags: {} }, '*'), 'DeviceNotFoundError'],
    ['delete unknown', () => registry.delete('no-such-device'), 'DeviceNotFoundError'],
    ['wrong key', () => policy('iothubowner', wrongKey).getTwin(deviceId), 'UnauthorizedError'],
    ['unknown policy', () => policy('nobody', wrongKey).getTwin(deviceId), 'UnauthorizedError'],
    ['long string', () => registry.updateTwin(deviceId, long, '*'), 'ArgumentError'],
    ['bad key', () => registry.updateTwin(deviceId, { tags: { 'a.b': 1 } }, '*'), 'ArgumentError'],
    ['bad query', () => registry.createQuery('SELECT * FROM nowhere').next(), 'ArgumentError'],
    ['bad id', () => registry.create({ deviceId: 'no spaces' }), 'ArgumentError'],
  ]) {
    const err = await refusal(call(), what);
    assert.equal(err.name, name, `${what}: ${err}`);
    assert.ok(err.message.length > 0, what);
  }
});

test('bulk operations answer per device', async () => {
  const ids = [freshId('bulk'), freshId('bulk'), freshId('bulk')];
  const added = (await registry.addDevices(ids.map((deviceId) => ({ deviceId })))).responseBody;
  assert.equal(added.isSuccessful, true);
  assert.deepEqual(added.errors, []);
  const again = await refusal(registry.addDevices([{ deviceId: ids[0] }]));
  assert.equal(again.name, 'ArgumentError');
  await registry.updateDevices(ids.map((deviceId) => ({ deviceId, status: 'disabled' })), true);
  assert.equal((await registry.get(ids[1])).responseBody.status, 'disabled');
  await registry.removeDevices(ids.map((deviceId) => ({ deviceId })), true);
  assert.equal((await refusal(registry.get(ids[2]))).name, 'DeviceNotFoundError');
});

test('statistics count devices', async () => {
  await createDevice('counted');
  const stats = (await registry.getRegistryStatistics()).responseBody;
  assert.ok(stats.totalDeviceCount >= 1);
  assert.equal(stats.totalDeviceCount, stats.enabledDeviceCount + stats.disabledDeviceCount);
});

test('awkward but legal ids work everywhere', async () => {
  for (const name of ["a'b", 'a%20b', 'a+b', 'a#b', 'a?b', 'a(b)*!', 'a,b;=@$:.b']) {
    const deviceId = freshId(name);
    await registry.create({ deviceId });
    assert.equal((await registry.getTwin(deviceId)).responseBody.deviceId, deviceId);
    await registry.delete(deviceId);
  }
});
