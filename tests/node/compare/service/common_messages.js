// Messages and their properties.
'use strict';
const { Message } = require('azure-iot-common');
const { say, thrown } = require('../support');

const message = new Message('body');
say('fresh', message);
say('data', message.getData(), message.getBytes());
message.properties.add('a', '1');
message.properties.add('a', '2');
say('reserved', message.properties.add('Authorization', 'x'), message.properties.add('iothub-to', 'x'));
say('properties', message.properties.count(), message.properties.getItem(1), message.properties.getValue('a'), message.properties.propertyList);
thrown('no key', () => message.properties.add('', 'x'));
thrown('getItem far', () => message.properties.getItem(9));
message.setAsSecurityMessage();
say('security', message.interfaceId);
for (const data of [Buffer.from('b'), undefined, null, 5, { a: 1 }, '', new Uint8Array([1, 2])]) {
  thrown(`bytes of ${data && data.constructor.name}`, () => new Message(data).getBytes());
  thrown(`convertible ${data && data.constructor.name}`, () => Message.isBufferConvertible(data));
}
