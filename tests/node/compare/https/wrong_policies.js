// Receive policies that cannot be.
'use strict';
const { Client } = require('azure-iot-device');
const { hub, called, outcome, Transport } = require('../support');

const client = Client.fromConnectionString(hub.device().connectionString, Transport);
const WRONG = {
  'two': { interval: 1, cron: '* * * * * *' },
  'interval and hand': { interval: 1, manualPolling: true },
  'negative': { interval: -1 },
  'a text': { interval: 'often' },
  'a text as time': { at: 'now' },
  'a number as cron': { cron: 5 },
};

(async () => {
  for (const [name, receivePolicy] of Object.entries(WRONG)) {
    await outcome(name, client.setOptions({ http: { receivePolicy } }));
    await called(`${name}, with callback`, (done) => client.setOptions({ http: { receivePolicy } }, done));
    await outcome(`${name}, deprecated`, client.setTransportOptions(receivePolicy));
  }
  await outcome('none', client.setOptions({ http: { receivePolicy: {} } }));
  await outcome('close', client.close());
})();
