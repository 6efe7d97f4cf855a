// Patches that are no plain objects.
'use strict';
const { Registry } = require('azure-iothub');
const { id, outcome, thrown, serviceConnectionString } = require('../support');

const registry = Registry.fromConnectionString(serviceConnectionString);
const deviceId = id('device');
const tags = (name, a) => outcome(name, registry.updateTwin(deviceId, { tags: { a } }, '*').then(({ responseBody }) => responseBody.tags));

class Pump {
  constructor() { this.speed = 3; this._inner = 1; }
  get doubled() { return 6; }
  run() {}
}
const cyclic = {};
cyclic.self = { cyclic };

(async () => {
  await registry.create({ deviceId });
  await tags('instance', new Pump());
  await tags('date', new Date(0));
  await tags('toJSON', { toJSON: () => ({ made: true }) });
  await tags('NaN', NaN);
  await tags('infinity', [Infinity]);
  await tags('undefined', undefined);
  await tags('function', () => {});
  await tags('symbol', Symbol('s'));
  await tags('map', new Map([[1, 2]]));
  await tags('no prototype', Object.assign(Object.create(null), { own: 1 }));
  await tags('inherited', Object.create({ inherited: 1 }, { own: { value: 1, enumerable: true } }));
  await tags('buffer', Buffer.from('hi'));
  await tags('string object', Object('text'));
  await tags('cyclic', cyclic);
  await tags('bigint', 1n);
  thrown('cyclic with callback', () => registry.updateTwin(deviceId, cyclic, '*', () => {}));
  thrown('bigint with callback', () => registry.updateTwin(deviceId, { tags: { a: 1n } }, '*', () => {}));
  await outcome('true', registry.updateTwin(deviceId, true, '*'));
  await outcome('a number', registry.updateTwin(deviceId, 5, '*'));
  await outcome('an array', registry.updateTwin(deviceId, [1], '*'));
})();
