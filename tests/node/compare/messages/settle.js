// What becomes of messages.
'use strict';
const { carrier, say, hub, called, outcome, next, until, messenger } = require('../support');

const device = hub.device();

(async () => {
  const client = await messenger(device);
  client.on('message', () => {});
  const take = (body) => {
    const coming = next(client, 'message');
    hub.send(device, body, { messageId: body });
    return coming;
  };
  const first = await take('first');
  await called('complete', (done) => client.complete(first, done));
  await outcome('complete', client.complete(await take('second')));
  await called('reject', (done) => client.reject(null, done));
  const third = await take('third');
  await outcome('reject', client.reject(third));
  const fourth = await take('fourth');
  if (carrier === 'mqtt') {
    await outcome('abandon', client.abandon(fourth));
  } else {
    const again = next(client, 'message');
    await outcome('abandon', client.abandon(fourth));
    say('comes again', (await again).messageId);
    await outcome('complete at last', client.complete(await again));
  }
  await until(() => hub.waiting(device) === 0);
  say('there', hub.waiting(device));
  await client.close();
})();
