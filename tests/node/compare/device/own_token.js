// A token of one's own, replaced while connected.
'use strict';
const { Client, SharedAccessSignature } = require('azure-iot-device');
const { say, hub, host, called, hear, next, Transport } = require('../support');

const device = hub.device();
const token = (seconds) => SharedAccessSignature.create(host, device.deviceId, device.key,
  Math.floor(Date.now() / 1000) + seconds).toString();
const client = Client.fromSharedAccessSignature(token(600), Transport);
hear(client, 'disconnect', 'error');

(async () => {
  await called('open', (done) => client.open(done));
  const twin = await client.getTwin();
  const change = next(twin, 'properties.desired.after');
  await new Promise((resolve) => twin.enableTwinDesiredPropertiesUpdates(resolve));
  await called('new token', (done) => client.updateSharedAccessSignature(token(1200), done));
  hub.desire(device, { after: 1 });
  say('heard', await change);
  await called('report', (done) => twin.properties.reported.update({ a: 1 }, done));
  await called('close', (done) => client.close(done));
  const old = Client.fromSharedAccessSignature(token(-600), Transport);
  await called('old token', (done) => old.open(done));
  await called('close', (done) => old.close(done));
})();
