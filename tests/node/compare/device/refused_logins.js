// Wrong keys, strangers, devices that are disabled.
'use strict';
const { Client } = require('azure-iot-device');
const { hub, host, id, outcome, called, hear, Transport } = require('../support');

const good = hub.device('good');
const wrongKey = Buffer.alloc(32, 7).toString('base64');
const cases = {
  'wrong key': `HostName=${host};DeviceId=${good.deviceId};SharedAccessKey=${wrongKey}`,
  stranger: `HostName=${host};DeviceId=${id('stranger')};SharedAccessKey=${good.key}`,
  disabled: hub.device('disabled', { status: 'disabled' }).connectionString,
};

(async () => {
  for (const [name, connectionString] of Object.entries(cases)) {
    const client = Client.fromConnectionString(connectionString, Transport);
    hear(client, 'connect', 'disconnect', 'error');
    await outcome(`${name}: open`, client.open());
    await outcome(`${name}: close`, client.close());
  }
  const client = Client.fromConnectionString(cases['wrong key'], Transport);
  await called('open with callback', (done) => client.open(done));
  await outcome('close', client.close());
})();
