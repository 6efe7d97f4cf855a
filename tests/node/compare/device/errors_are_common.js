// Errors of a client are the common package's.
'use strict';
const { Client } = require('azure-iot-device');
const { errors } = require('azure-iot-common');
const { say, hub, host, Transport } = require('../support');

(async () => {
  const { deviceId } = hub.device();
  const client = Client.fromConnectionString(`HostName=${host};DeviceId=${deviceId};SharedAccessKey=${Buffer.alloc(32, 7).toString('base64')}`, Transport);
  try {
    await client.open();
  } catch (err) {
    say('is', err instanceof errors.UnauthorizedError, err instanceof Error, Object.prototype.toString.call(err), typeof err.stack);
  }
  await client.close();
})();
