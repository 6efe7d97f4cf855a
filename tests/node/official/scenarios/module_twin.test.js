// Module identities and module twins.
'use strict';
const { test } = require('node:test');
const { assert, ModuleClient, transports, registry, hostName, createDevice, soon, report, refusal } = require('../support');

test('modules are added, listed, read, changed and removed', async () => {
  const { deviceId } = await createDevice('modules');
  for (const moduleId of ['m1', 'm2']) await registry.addModule({ deviceId, moduleId });
  const listed = (await registry.getModulesOnDevice(deviceId)).responseBody.map((m) => m.moduleId).sort();
  assert.deepEqual(listed, ['m1', 'm2']);
  const module = (await registry.getModule(deviceId, 'm1')).responseBody;
  assert.equal(module.deviceId, deviceId);
  await registry.updateModule({ ...module, managedBy: 'me' });
  assert.equal((await registry.getModule(deviceId, 'm1')).responseBody.managedBy, 'me');
  assert.equal((await refusal(registry.addModule({ deviceId, moduleId: 'm1' }))).name, 'DeviceAlreadyExistsError');
  await registry.removeModule(deviceId, 'm1');
  assert.equal((await refusal(registry.getModule(deviceId, 'm1'))).message, 'Not found');
  await registry.delete(deviceId);
  assert.ok(await refusal(registry.getModuleTwin(deviceId, 'm2')));
});

for (const [name, Transport] of Object.entries(transports)) {
  test(`${name}: a module has a twin of its own`, async () => {
    const { deviceId } = await createDevice('module-twin');
    const moduleId = 'camera';
    const key = (await registry.addModule({ deviceId, moduleId })).responseBody.authentication.symmetricKey.primaryKey;
    const client = ModuleClient.fromConnectionString(
      `HostName=${hostName};DeviceId=${deviceId};ModuleId=${moduleId};SharedAccessKey=${key}`, Transport);
    client.on('error', () => {});
    await client.open();
    try {
      const twin = await client.getTwin();
      const change = soon(new Promise((resolve) =>
        twin.on('properties.desired', (delta) => delta.fps && resolve(delta))), 'the change');
      await soon(new Promise((resolve) => twin.enableTwinDesiredPropertiesUpdates(resolve)), 'the subscription');
      await report(twin, { status: 'scanning' });
      await registry.updateModuleTwin(deviceId, moduleId, { properties: { desired: { fps: 25 } } }, '*');
      assert.deepEqual(await change, { fps: 25, $version: 2 });
    } finally {
      await client.close();
    }
    const twin = (await registry.getModuleTwin(deviceId, moduleId)).responseBody;
    assert.equal(twin.moduleId, moduleId);
    assert.equal(twin.properties.reported.status, 'scanning');
    assert.equal((await registry.getTwin(deviceId)).responseBody.properties.reported.$version, 1);
    const { result } = await registry.createQuery(
      `SELECT * FROM devices.modules WHERE properties.reported.status = 'scanning' AND deviceId IN ['${deviceId}']`).nextAsTwin();
    assert.deepEqual(result.map((t) => t.moduleId), [moduleId]);
  });
}
