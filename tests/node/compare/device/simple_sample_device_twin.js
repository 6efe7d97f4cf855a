// The official twin sample: report, hear desired changes of a whole twin and of its parts.
'use strict';
const { Client } = require('azure-iot-device');
const { say, hub, called, soon, next, Transport } = require('../support');

const device = hub.device('thermostat');
const client = Client.fromConnectionString(device.connectionString, Transport);

client.open((err) => {
  say('opened', err);
  client.getTwin(async (error, twin) => {
    say('twin', error, twin.constructor.name, Object.keys(twin.properties));
    twin.on('properties.desired', (delta) => say('new desired properties received', JSON.stringify(delta)));
    twin.on('properties.desired.climate', (delta) => say('climate', delta));
    twin.on('properties.desired.climate.hvac.systemControl', (mode) => say('mode', mode));
    await called('report', (done) => twin.properties.reported.update({ firmwareVersion: '1.2.1',
      weather: { temperature: 72, humidity: 17 } }, done));
    const heard = next(twin, 'properties.desired.climate.hvac');
    await new Promise((resolve) => twin.enableTwinDesiredPropertiesUpdates(resolve));
    hub.desire(device, { climate: { minTemperature: 68, maxTemperature: 76, hvac: { systemControl: true } } });
    say('hvac', await soon(heard));
    say('reported by then', hub.reported(device));
    await called('close', (done) => client.close(done));
  });
});
