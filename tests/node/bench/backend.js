// A backend that reads twins one after another, and then all of them by a query. Arguments: reads, twins, page size.
'use strict';
const { Registry } = require('azure-iothub');

const [reads, twins, pageSize] = process.argv.slice(2).map(Number);
const registry = Registry.fromConnectionString(process.env.IOTHUB_CONNECTION_STRING);

(async () => {
  const times = [];
  for (let i = 0; i < reads; i += 1) {
    const begun = performance.now();
    await registry.getTwin(`meter-${String(i % twins).padStart(7, '0')}`);
    times.push(performance.now() - begun);
  }
  times.sort((a, b) => a - b);

  const begun = performance.now();
  const query = registry.createQuery('SELECT * FROM devices', pageSize);
  let found = 0;
  while (query.hasMoreResults) found += (await query.nextAsTwin()).result.length;
  const seconds = (performance.now() - begun) / 1000;
  if (found < twins) throw new Error(`${found} twins of ${twins}`);
  process.stdout.write(JSON.stringify({ p50: times[times.length >> 1], seconds }));
})();
