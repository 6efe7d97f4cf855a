// What the hub refuses about identities.
'use strict';
const { Registry } = require('azure-iothub');
const { id, outcome, serviceConnectionString } = require('../support');

const registry = Registry.fromConnectionString(serviceConnectionString);

(async () => {
  await outcome('bad id', registry.create({ deviceId: `${id('bad')} with spaces` }));
  await outcome('long id', registry.create({ deviceId: 'x'.repeat(129) }));
  await outcome('bad status', registry.create({ deviceId: id('status'), status: 'asleep' }));
  await outcome('bad key', registry.create({ deviceId: id('key'),
    authentication: { type: 'sas', symmetricKey: { primaryKey: 'short', secondaryKey: 'short' } } }));
  await outcome('bad thumbprint', registry.create({ deviceId: id('print'),
    authentication: { type: 'selfSigned', x509Thumbprint: { primaryThumbprint: 'zz' } } }));
  await outcome('update nobody', registry.update({ deviceId: id('nobody') }));
  await outcome('get nobody', registry.get(id('nobody')));
  await outcome('delete nobody', registry.delete(id('nobody')));
})();
