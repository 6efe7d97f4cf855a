// A twin asked for by who may not log in.
'use strict';
const { Client } = require('azure-iot-device');
const { hub, host, called, outcome, Transport } = require('../support');

const { deviceId } = hub.device();
const client = Client.fromConnectionString(
  `HostName=${host};DeviceId=${deviceId};SharedAccessKey=${Buffer.alloc(32, 7).toString('base64')}`, Transport);

(async () => {
  await called('getTwin', (done) => client.getTwin((err, ...rest) => done(err, rest.length)));
  await outcome('getTwin with a promise', client.getTwin());
  await client.close();
})();
