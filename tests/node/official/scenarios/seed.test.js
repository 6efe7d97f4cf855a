// The how-to's own story, once per transport, in the callback style that it prints.
'use strict';
const { test } = require('node:test');
const { assert, Client, iothub, transports, connectionString, createDevice, soon } = require('../support');

for (const [name, Protocol] of Object.entries(transports)) {
  test(`the seed's story over ${name}`, async () => {
    const device = await createDevice(`seed-${name}`);

    await soon(new Promise((resolve, reject) => {
      const client = Client.fromConnectionString(device.connectionString, Protocol);
      client.open().catch(reject);
      client.getTwin(function (err, twin) {
        if (err) return reject(err);
        assert.equal(twin.properties.reported.$version, 1);
        assert.equal(twin.properties.desired.$version, 1);
        var patch = { connectivity: { type: 'cellular' } };
        twin.properties.reported.update(patch, function (err) {
          if (err) return reject(err);
          client.close(() => resolve());
        });
      });
    }), 'the device');

    const registry = iothub.Registry.fromConnectionString(connectionString);
    const plant = `Redmond43-${device.deviceId}`;
    const found = await soon(new Promise((resolve, reject) => {
      registry.getTwin(device.deviceId, function (err, twin) {
        if (err) return reject(err);
        twin.update({ tags: { location: { region: 'US', plant } } }, function (err) {
          if (err) return reject(err);
          const queries = [
            `SELECT * FROM devices WHERE tags.location.plant = '${plant}'`,
            `SELECT * FROM devices WHERE tags.location.plant = '${plant}' AND properties.reported.connectivity.type = 'cellular'`,
          ];
          const answers = [];
          const ask = () => {
            const query = registry.createQuery(queries[answers.length], 100);
            query.nextAsTwin(function (err, results) {
              if (err) return reject(err);
              assert.equal(query.hasMoreResults, false);
              answers.push(results.map((twin) => twin.deviceId).join(','));
              if (answers.length < queries.length) ask(); else resolve(answers);
            });
          };
          ask();
        });
      });
    }), 'the backend');
    assert.deepEqual(found, [device.deviceId, device.deviceId]);
  });
}
