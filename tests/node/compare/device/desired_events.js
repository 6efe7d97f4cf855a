// Desired changes: order of events, values, and the local copy.
'use strict';
const { Client } = require('azure-iot-device');
const { say, hub, soon, turn, Transport } = require('../support');

const device = hub.device();
hub.desire(device, { fan: { speed: 1, mode: 'auto' }, old: true });
const client = Client.fromConnectionString(device.connectionString, Transport);

(async () => {
  await client.open();
  const twin = await client.getTwin();
  let done;
  const last = soon(new Promise((resolve) => { done = resolve; }));
  for (const path of ['', '.fan', '.fan.speed', '.fan.mode', '.old', '.$version', '.list', '.list.0', '.list.1.a']) {
    twin.on(`properties.desired${path}`, (value) => say(`event${path}`, structuredClone(value)));
  }
  twin.on('properties.desired.end', done);
  await new Promise((resolve) => twin.enableTwinDesiredPropertiesUpdates(resolve));
  await turn();
  say('from here');
  hub.desire(device, { fan: { speed: 2 } });
  hub.desire(device, { fan: { mode: null }, list: [1, { a: 5 }] });
  hub.desire(device, { old: null });
  hub.desire(device, { fan: null });
  hub.desire(device, { end: true });
  await last;
  say('copy', twin.properties.desired);
  await client.close();
})();
