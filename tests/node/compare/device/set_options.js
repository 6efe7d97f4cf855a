// Options, with callbacks and promises, before and after opening.
'use strict';
const fs = require('node:fs');
const { Client } = require('azure-iot-device');
const { hub, called, outcome, Transport } = require('../support');

const client = Client.fromConnectionString(hub.device().connectionString, Transport);
const ca = fs.readFileSync(process.env.NODE_EXTRA_CA_CERTS, 'utf8');

(async () => {
  await outcome('ca', client.setOptions({ ca }));
  await outcome('a path', client.setOptions({ ca: process.env.NODE_EXTRA_CA_CERTS }));
  await called('with callback', (done) => client.setOptions({ keepalive: 60 }, done));
  await outcome('nothing known', client.setOptions({ colour: 'red' }));
  await outcome('empty', client.setOptions({}));
  await outcome('product info', client.setOptions({ productInfo: 'product' }));
  await outcome('transport options', client.setTransportOptions({ interval: 1 }));
  await outcome('open', client.open());
  await outcome('when open', client.setOptions({ ca }));
  await outcome('product info when open', client.setOptions({ productInfo: 'late' }));
  await outcome('close', client.close());
})();
