// Pages with promises, each asked for by the token of the one before.
'use strict';
const { Registry } = require('azure-iothub');
const fleet = require('../fleet');
const { say, outcome, serviceConnectionString } = require('../support');

const registry = Registry.fromConnectionString(serviceConnectionString);

(async () => {
  const { where } = await fleet(registry);
  const query = registry.createQuery(`SELECT tags.n FROM devices ${where}`, 3);
  await outcome('page 1', query.next());
  await outcome('page 2', query.next(query.continuationToken));
  await outcome('page 3', query.next(query.continuationToken));
  say('at the end', query.hasMoreResults, query.continuationToken);
  const twins = registry.createQuery(`SELECT * FROM devices ${where}`, 4);
  while (twins.hasMoreResults) {
    const { result, message } = await twins.nextAsTwin();
    say('twins', result.map((twin) => twin.tags.n), message.statusCode);
  }
  const { result } = await registry.createQuery(`SELECT tags.parity AS p, COUNT() AS n FROM devices ${where} GROUP BY tags.parity`).next();
  say('groups', result.sort((a, b) => a.p.localeCompare(b.p)));
  await outcome('none', registry.createQuery("SELECT * FROM devices WHERE tags.fleet = 'nobody'").nextAsTwin());
})();
