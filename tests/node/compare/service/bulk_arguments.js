// Bulk requests with arguments that cannot be.
'use strict';
const { Registry } = require('azure-iothub');
const { outcome, thrown, serviceConnectionString } = require('../support');

const registry = Registry.fromConnectionString(serviceConnectionString);
const done = () => {};

(async () => {
  for (const [name, devices] of Object.entries({ undefined, null: null, text: 'a', object: {}, empty: [],
    many: Array.from({ length: 101 }, (_, i) => ({ deviceId: `d${i}` })), nameless: [{}] })) {
    thrown(`add ${name} with callback`, () => registry.addDevices(devices, done));
    await outcome(`add ${name}`, registry.addDevices(devices));
    await outcome(`update ${name}`, registry.updateDevices(devices, true));
    await outcome(`remove ${name}`, registry.removeDevices(devices, false));
  }
  await outcome('update without force', registry.updateDevices([{ deviceId: 'd' }]));
  await outcome('update with a text as force', registry.updateDevices([{ deviceId: 'd' }], 'yes'));
  thrown('remove without force, with callback', () => registry.removeDevices([{ deviceId: 'd' }], undefined, done));
})();
