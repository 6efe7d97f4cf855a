// Pages with callbacks.
'use strict';
const { Registry } = require('azure-iothub');
const fleet = require('../fleet');
const { say, called, serviceConnectionString } = require('../support');

const registry = Registry.fromConnectionString(serviceConnectionString);

(async () => {
  const { where } = await fleet(registry);
  const query = registry.createQuery(`SELECT tags.n FROM devices ${where}`, 3);
  say('before', query.hasMoreResults, query.continuationToken);
  for (let page = 1; page <= 3; page += 1) {
    await called(`page ${page}`, (done) => query.next(done));
    say(`after ${page}`, query.hasMoreResults, typeof query.continuationToken);
  }
  await called('after the end', (done) => query.next(done));
  const token = query.continuationToken;
  await called('by token', (done) => query.next(token, done));
  const twins = registry.createQuery(`SELECT * FROM devices ${where}`, 5);
  await called('twins', (done) => twins.nextAsTwin((err, found, response) =>
    done(err, found.map((twin) => [twin.constructor.name, twin.deviceId, twin.etag, twin.tags.n]), response)));
  await called('more twins', (done) => twins.nextAsTwin((err, found, response) => done(err, found.length, response)));
  say('at the end', twins.hasMoreResults);
})();
