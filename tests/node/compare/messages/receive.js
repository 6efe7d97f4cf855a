// What a device gets of a message that a backend sends.
'use strict';
const { Message } = require('azure-iot-device');
const { say, hub, id, soon, next, until, messenger } = require('../support');

const device = hub.device();

(async () => {
  const client = await messenger(device);
  const take = async (name, body, more) => {
    const coming = next(client, 'message');
    hub.send(device, body, more);
    const message = await coming;
    if (message === '<never>') return say(name, message);
    // Where it came from is the transport's own.
    const { lockToken, data, transportObj, ...rest } = message;
    say(name, message instanceof Message, rest);
    say('body', message.getData().toString(), message.getBytes().length);
    say('kind of body', typeof data, Buffer.isBuffer(data));
    await soon(client.complete(message));
  };
  client.on('message', () => {});
  await take('plain', 'hello');
  await take('with all', '{"n":1}', { messageId: id('message'), correlationId: 'c-1', userId: 'u-1', ack: 'full',
    contentType: 'application/json', contentEncoding: 'utf-8', properties: [['colour', 'red'], ['sign', 'a&b=c d']] });
  await take('letters', 'ä€😀', { properties: [['name', 'plain']] });
  await take('empty', '');
  await until(() => hub.waiting(device) === 0);
  say('there', hub.waiting(device));
  await client.close();
})();
