// A module and its twin.
'use strict';
const { ModuleClient } = require('azure-iot-device');
const { say, hub, called, outcome, next, hear, Transport } = require('../support');

const device = hub.device();
const own = { ...hub.module(device), deviceId: device.deviceId };
const client = ModuleClient.fromConnectionString(own.connectionString, Transport);
hear(client, 'disconnect', 'error');

(async () => {
  await outcome('open', client.open());
  const twin = await client.getTwin();
  say('twin', JSON.stringify(twin.properties));
  await called('report', (done) => twin.properties.reported.update({ a: 1 }, done));
  const change = next(twin, 'properties.desired.b');
  await new Promise((resolve) => twin.enableTwinDesiredPropertiesUpdates(resolve));
  hub.desire(own, { b: 2 });
  say('heard', await change);
  await outcome('options', client.setOptions({ productInfo: 'x' }));
  await outcome('close', client.close());
})();
