// Two devices in one process.
'use strict';
const { Client } = require('azure-iot-device');
const { say, hub, called, Transport } = require('../support');

(async () => {
  const devices = ['one', 'two'].map((name) => hub.device(name));
  const clients = devices.map((device) => Client.fromConnectionString(device.connectionString, Transport));
  await Promise.all(clients.map((client) => client.open()));
  const twins = await Promise.all(clients.map((client) => client.getTwin()));
  say('different', twins[0] !== twins[1]);
  for (const [i, twin] of twins.entries()) await called(`report ${i}`, (done) => twin.properties.reported.update({ i }, done));
  say('there', devices.map((device) => hub.reported(device).i));
  await Promise.all(clients.map((client) => client.close()));
})();
