// There are no twins over HTTPS.
'use strict';
const { Client } = require('azure-iot-device');
const { say, hub, called, outcome, thrown, Transport } = require('../support');

const client = Client.fromConnectionString(hub.device().connectionString, Transport);

(async () => {
  client.on('error', (err) => say('error', err));
  await outcome('open', client.open());
  await outcome('getTwin', client.getTwin());
  await called('getTwin with callback', (done) => client.getTwin(done));
  thrown('the transport', () => client._transport.getTwin(() => {}));
  thrown('reports', () => client._transport.updateTwinReportedProperties({}, () => {}));
  await outcome('close', client.close());
})();
