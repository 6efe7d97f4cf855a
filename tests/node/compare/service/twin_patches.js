// What patches do to a twin, and which the hub refuses.
'use strict';
const { Registry } = require('azure-iothub');
const { id, outcome, serviceConnectionString } = require('../support');

const registry = Registry.fromConnectionString(serviceConnectionString);
const deviceId = id('device');
const patch = (name, document) => outcome(name, registry.updateTwin(deviceId, document, '*').then(({ responseBody }) =>
  ({ tags: responseBody.tags, desired: responseBody.properties.desired, version: responseBody.version })));

(async () => {
  await registry.create({ deviceId });
  await patch('tags', { tags: { a: { b: 1, c: [1, { d: 2 }] } } });
  await patch('null removes', { tags: { a: { b: null } } });
  await patch('a whole object is removed', { tags: { a: null } });
  await patch('desired', { properties: { desired: { fan: { speed: 2 }, on: true, off: false, half: 0.5 } } });
  await patch('reported is left alone', { properties: { reported: { x: 1 } } });
  await patch('nothing', {});
  await patch('a dollar', { tags: { $a: 1 } });
  await patch('a dot', { tags: { 'a.b': 1 } });
  await patch('a space', { tags: { 'a b': 1 } });
  await patch('a long value', { tags: { a: 'x'.repeat(4097) } });
  await patch('too deep', { tags: JSON.parse('{"a":'.repeat(12) + '1' + '}'.repeat(12)) });
  await patch('too large', { tags: Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`k${i}`, 'x'.repeat(1000)])) });
  await patch('an integer too large', { tags: { a: 4503599627370496 } });
  await patch('null in an array', { tags: { a: [null] } });
  await patch('tags that are no object', { tags: 5 });
  await patch('unknown members', { colour: 'red' });
  await patch('text', '{"tags":{"from":"text"}}');
  await patch('no JSON', '{"tags":');
})();
