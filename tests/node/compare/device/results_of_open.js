// What `open` and `close` give.
'use strict';
const { Client } = require('azure-iot-device');
const { results } = require('azure-iot-common');
const { say, hub, Transport } = require('../support');

const client = Client.fromConnectionString(hub.device().connectionString, Transport);

(async () => {
  for (const round of ['first', 'second']) {
    const opened = await client.open();
    say(`${round} open`, opened instanceof results.Connected, Object.keys(opened), typeof opened.transportObj);
  }
  for (const round of ['first', 'second']) {
    const closed = await client.close();
    say(`${round} close`, closed instanceof results.Disconnected, Object.keys(closed), typeof closed.transportObj, typeof closed.reason);
  }
})();
