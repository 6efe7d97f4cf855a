// An open client keeps the process alive: the desired change arrives.
'use strict';
const { Client } = require('azure-iot-device');
const { say, hub, Transport } = require('../support');

const device = hub.device();
const client = Client.fromConnectionString(device.connectionString, Transport);
client.open((err) => {
  say('opened', err);
  client.getTwin((error, twin) => {
    twin.on('properties.desired.wake', (value) => {
      say('woken', value);
      client.close(() => say('closed'));
    });
    twin.enableTwinDesiredPropertiesUpdates(() => hub.desire(device, { wake: 'now' }));
  });
});
