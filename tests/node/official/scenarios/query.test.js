// Queries: many pages, rows, aggregates.
'use strict';
const { test } = require('node:test');
const { assert, registry, freshId } = require('../support');

const group = freshId('q');
const COUNT = 250;

test('twins come page by page, each once', async () => {
  const ids = Array.from({ length: COUNT }, (_, i) => `${group}-${i}`);
  for (let i = 0; i < ids.length; i += 100) {
    const { responseBody } = await registry.addDevices(ids.slice(i, i + 100).map((deviceId, k) => ({
      deviceId, tags: { fleet: group, parity: (i + k) % 2 ? 'odd' : 'even' }, properties: { desired: { n: i + k } } })));
    assert.equal(responseBody.isSuccessful, true);
  }
  // The documented bulk create carries tags and desired properties; what a hub did with them is read back here.
  const query = registry.createQuery(`SELECT * FROM devices WHERE tags.fleet = '${group}'`, 40);
  const seen = [];
  let pages = 0;
  while (query.hasMoreResults) {
    const { result } = await query.nextAsTwin();
    assert.ok(result.length <= 40);
    seen.push(...result.map((twin) => twin.deviceId));
    pages += 1;
  }
  assert.deepEqual(seen.sort(), ids.sort());
  assert.equal(pages, Math.ceil(COUNT / 40));
});

test('a page can be fetched again by its token', async () => {
  const sql = `SELECT deviceId FROM devices WHERE tags.fleet = '${group}'`;
  const first = registry.createQuery(sql, 100);
  await new Promise((resolve, reject) => first.next((err) => (err ? reject(err) : resolve())));
  const token = first.continuationToken;
  const rows = (query) => new Promise((resolve, reject) =>
    query.next(token, (err, result) => (err ? reject(err) : resolve(result))));
  const [one, two] = [await rows(registry.createQuery(sql, 100)), await rows(registry.createQuery(sql, 100))];
  assert.equal(one.length, 100);
  assert.deepEqual(one, two);
});

test('projections, aggregates and groups are rows', async () => {
  const ask = (sql) => new Promise((resolve, reject) =>
    registry.createQuery(sql).next((err, result) => (err ? reject(err) : resolve(result))));
  const where = `WHERE tags.fleet = '${group}'`;
  assert.deepEqual(await ask(`SELECT COUNT() AS n FROM devices ${where}`), [{ n: COUNT }]);
  const groups = await ask(`SELECT tags.parity AS parity, COUNT() AS n FROM devices ${where} GROUP BY tags.parity`);
  assert.deepEqual(groups.sort((a, b) => a.parity.localeCompare(b.parity)), [{ parity: 'even', n: 125 }, { parity: 'odd', n: 125 }]);
  assert.deepEqual(await ask(`SELECT properties.desired.n FROM devices ${where} AND properties.desired.n >= 249`), [{ n: 249 }]);
  const [{ low, high, mean }] = await ask(
    `SELECT MIN(properties.desired.n) AS low, MAX(properties.desired.n) AS high, AVG(properties.desired.n) AS mean FROM devices ${where}`);
  assert.deepEqual({ low, high, mean }, { low: 0, high: 249, mean: 124.5 });
});
