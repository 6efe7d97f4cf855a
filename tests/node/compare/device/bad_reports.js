// Reports of what programs have at hand and JSON does not, and of what is no patch at all.
'use strict';
const { Client } = require('azure-iot-device');
const { say, hub, called, Transport } = require('../support');

const device = hub.device();
const client = Client.fromConnectionString(device.connectionString, Transport);
const loop = [];
loop.push({ loop });

class Reading {
  #secret = 1;
  constructor() { this.unit = 'K'; this.none = undefined; }
  get computed() { return 7; }
  toString() { return `${this.#secret}`; }
}

(async () => {
  await client.open();
  const twin = await client.getTwin();
  const report = (name, patch) => called(name, (done) => twin.properties.reported.update(patch, done));
  await report('NaN', { nan: NaN, infinity: -Infinity, zero: -0 });
  await report('undefined members', { none: undefined, kept: 1 });
  await report('a class', { reading: new Reading() });
  await report('a class at the top', new Reading());
  await report('a date in an array', { list: [new Date(0), 1] });
  await report('a buffer', { buffer: Buffer.from('ab') });
  await report('numbers in a typed array', { typed: new Uint8Array([1, 2]) });
  await report('boxed values', { text: Object('t'), number: Object(5), yes: Object(true) });
  await report('no prototype', Object.assign(Object.create(null), { bare: 1 }));
  await report('a prototype by name', JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":2}}}'));
  await report('a proxy', new Proxy({ real: 1 }, { get: (target, key) => (key === 'real' ? 2 : target[key]) }));
  await report('an error', { error: new Error('told') });
  await report('a regular expression', { pattern: /x/ });
  await report('toJSON at the top', { toJSON: () => ({ made: 2 }) });
  await report('toJSON that throws', { toJSON() { throw new RangeError('mine'); } });
  await report('a getter that throws', Object.defineProperty({}, 'trap', { enumerable: true, get() { throw new RangeError('mine'); } }));
  await report('a loop in an array', { loop });
  await report('bigint inside', { a: { b: [1n] } });
  await report('unusual names', { 'ключ': 'значение', '😀': '\u0000\ud800' });
  await report('an empty name', { '': 1 });
  await report('an empty patch', {});
  await report('a date at the top', new Date(0));
  await report('a buffer at the top', Buffer.from('ab'));
  await report('a true', true);
  await report('an empty text', '');
  say('not polluted', {}.polluted);
  say('there', hub.reported(device));
  await client.close();
})();
