// Seven twins that a query finds by their tag.
'use strict';
const { id } = require('./support');

module.exports = async (registry, size = 7) => {
  const fleet = id('fleet');
  const ids = Array.from({ length: size }, (_, i) => id(`lamp-${i}`));
  await registry.addDevices(ids.map((deviceId) => ({ deviceId })));
  for (const [i, deviceId] of ids.entries()) {
    await registry.updateTwin(deviceId, { tags: { fleet, n: i, parity: i % 2 ? 'odd' : 'even' } }, '*');
  }
  return { fleet, where: `WHERE tags.fleet = '${fleet}'` };
};
