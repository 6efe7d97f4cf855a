// Identities made by hand.
'use strict';
const { Device } = require('azure-iothub');
const { say, thrown } = require('../support');

say('empty', new Device());
say('null', new Device(null));
say('from an object', new Device({ deviceId: 'd', status: 'disabled', authentication: { symmetricKey: { primaryKey: 'p' } }, more: [1] }));
say('from text', new Device('{"deviceId":"d","capabilities":{"iotEdge":true}}'));
thrown('no id', () => new Device({ status: 'enabled' }));
thrown('no id in text', () => new Device('{}'));
thrown('no JSON', () => new Device('{').deviceId);
const given = { deviceId: 'd', capabilities: { a: { b: 1 } } };
const device = new Device(given);
given.capabilities.a.b = 2;
say('a copy', device.capabilities);
