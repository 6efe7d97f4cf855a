// Who may not send: said by each request, for there is no login.
'use strict';
const { Client, Message } = require('azure-iot-device');
const { NoRetry } = require('azure-iot-common');
const { hub, host, id, outcome, Transport } = require('../support');

const good = hub.device();
const cases = {
  'wrong key': `HostName=${host};DeviceId=${good.deviceId};SharedAccessKey=${Buffer.alloc(32, 7).toString('base64')}`,
  stranger: `HostName=${host};DeviceId=${id('stranger')};SharedAccessKey=${good.key}`,
  disabled: hub.device('disabled', { status: 'disabled' }).connectionString,
};

(async () => {
  for (const [name, connectionString] of Object.entries(cases)) {
    const client = Client.fromConnectionString(connectionString, Transport);
    client.setRetryPolicy(new NoRetry());
    await outcome(`${name}: open`, client.open());
    await outcome(`${name}: send`, client.sendEvent(new Message('text')));
    await outcome(`${name}: close`, client.close());
  }
})();
