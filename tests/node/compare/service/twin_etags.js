// Which twin an etag lets change.
'use strict';
const { Registry } = require('azure-iothub');
const { say, id, outcome, called, serviceConnectionString } = require('../support');

const registry = Registry.fromConnectionString(serviceConnectionString);
const deviceId = id('device');

(async () => {
  await registry.create({ deviceId });
  const { responseBody: first } = await registry.getTwin(deviceId);
  const { responseBody: second } = await registry.getTwin(deviceId);
  say('etags', first.etag, second.etag);
  await first.update({ tags: { by: 'first' } });
  await outcome('stale', second.update({ tags: { by: 'second' } }));
  await called('stale with callback', (done) => second.update({ tags: { by: 'second' } }, done));
  say('after the refusal', second.etag, second.tags);
  second.etag = '*';
  await outcome('forced', second.update({ tags: { by: 'second' } }));
  await outcome('quoted', registry.updateTwin(deviceId, { tags: { a: 1 } }, `"${second.etag}"`));
  await outcome('wrong', registry.updateTwin(deviceId, { tags: { a: 2 } }, 'AAAAAAAAAAE='));
  await outcome('of nobody', registry.updateTwin(id('nobody'), { tags: { a: 2 } }, '*'));
})();
