// The loop that the official package never ends: `while (query.hasMoreResults) await query.next()`.
'use strict';
const { Registry } = require('azure-iothub');
const fleet = require('../fleet');
const { say, serviceConnectionString } = require('../support');

const registry = Registry.fromConnectionString(serviceConnectionString);

(async () => {
  const { where } = await fleet(registry);
  const query = registry.createQuery(`SELECT tags.n FROM devices ${where}`, 3);
  const pages = [];
  while (query.hasMoreResults && pages.length < 5) {
    const { result } = await query.next();
    pages.push(result.map((row) => row.n));
  }
  say('pages', pages);
})();
