// When messages are asked for: by an interval, at a time, by a cron expression, by hand; all, or one by one.
'use strict';
const { Client } = require('azure-iot-device');
const { say, hub, until, outcome, Transport } = require('../support');

const device = hub.device();
const client = Client.fromConnectionString(device.connectionString, Transport);
const heard = [];

async function by(name, policy, counts, ask = () => {}) {
  heard.length = 0;
  await outcome(`${name} is set`, client.setOptions({ http: { receivePolicy: policy } }));
  for (const n of [1, 2]) hub.send(device, `${name} ${n}`);
  for (const count of counts) {
    ask();
    await until(() => heard.length === count);
    say(name, heard);
  }
  await until(() => hub.waiting(device) === 0);
}

(async () => {
  await client.setOptions({ http: { receivePolicy: { manualPolling: true, drain: true } } });
  client.on('message', (message) => {
    heard.push(message.getData().toString());
    client.complete(message, (err) => err && say('complete', err));
  });
  await outcome('open', client.open());
  const receive = () => client._transport.receive();
  await by('by hand', { manualPolling: true, drain: true }, [2], receive);
  await by('one by one', { manualPolling: true, drain: false }, [1, 2], receive);
  await by('interval', { interval: 0.1, drain: true }, [2]);
  await by('at', { at: new Date(Date.now() + 300), drain: true }, [2]);
  await by('cron', { cron: '* * * * * *', drain: true }, [2]);
  say('there', hub.waiting(device));
  await outcome('deprecated', client.setTransportOptions({ interval: 3 }));
  await outcome('close', client.close());
})();
