// Arguments that cannot be.
'use strict';
const { Client } = require('azure-iot-device');
const { hub, thrown, Transport } = require('../support');

const client = Client.fromConnectionString(hub.device().connectionString, Transport);

(async () => {
  thrown('setRetryPolicy()', () => client.setRetryPolicy());
  thrown('setRetryPolicy({})', () => client.setRetryPolicy({}));
  thrown('setRetryPolicy without shouldRetry', () => client.setRetryPolicy({ nextRetryTimeout() {} }));
  thrown('setOptions()', () => client.setOptions());
  thrown('setOptions() with callback', () => client.setOptions(undefined, () => {}));
  thrown('updateSharedAccessSignature()', () => client.updateSharedAccessSignature());
  thrown('open with a text', () => client.open('now'));
  thrown('getTwin with an object', () => client.getTwin({}));
  thrown('close with a number', () => client.close(5));
  await client.close();
})();
