// The device script of the tutorial: everything is asked before the connection is there.
'use strict';
const { Client } = require('azure-iot-device');
const { say, hub, Transport } = require('../support');

const device = hub.device();
const client = Client.fromConnectionString(device.connectionString, Transport);

client.open().catch((err) => say('could not connect', err));
client.getTwin((err, twin) => {
  if (err) return say('could not get twin', err);
  return twin.properties.reported.update({ connectivity: { type: 'cellular' } }, (error) => {
    say('twin state reported', error);
    say('there', hub.reported(device).connectivity);
    process.exit();
  });
});
