// Twins made by hand.
'use strict';
const { Twin, Registry } = require('azure-iothub');
const { say, thrown, serviceConnectionString } = require('../support');

const registry = Registry.fromConnectionString(serviceConnectionString);

thrown('nothing', () => new Twin());
thrown('empty id', () => new Twin('', registry));
thrown('no registry', () => new Twin('d'));
thrown('no id', () => new Twin({}, registry));
const twin = new Twin('d', registry);
say('by id', twin, Object.keys(twin));
const given = { deviceId: 'd', moduleId: 'm', tags: { a: { b: 1 } }, properties: { reported: { x: 1 } }, more: [1, { y: 2 }] };
const filled = new Twin(given, registry);
say('from an object', filled, Object.keys(filled));
given.tags.a.b = 2;
given.more[1].y = 3;
say('a copy', filled.tags, filled.more);
const json = filled.toJSON();
say('toJSON', json, Object.keys(json));
json.tags.a.b = 9;
say('a copy too', filled.tags);
say('stringified', JSON.stringify(filled));
