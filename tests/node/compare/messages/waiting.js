// What was sent while the device was away, in order, and what waits when nobody listens.
'use strict';
const { say, hub, until, messenger } = require('../support');

const device = hub.device();

(async () => {
  for (const n of [1, 2, 3]) hub.send(device, `${n}`);
  say('waiting', hub.waiting(device));
  const client = await messenger(device);
  const heard = [];
  const listener = (message) => {
    heard.push(message.getData().toString());
    client.complete(message, (err) => err && say('complete', err));
  };
  client.on('message', listener);
  await until(() => heard.length === 3);
  say('heard', heard);
  await until(() => hub.waiting(device) === 0);
  client.removeListener('message', listener);
  await new Promise((resolve) => setTimeout(resolve, 300));
  hub.send(device, 'later');
  await new Promise((resolve) => setTimeout(resolve, 100));
  say('nobody heard', heard.length);
  client.on('message', listener);
  await until(() => heard.length === 4);
  say('heard later', heard[3]);
  await until(() => hub.waiting(device) === 0);
  say('there', hub.waiting(device));
  await client.close();
})();
