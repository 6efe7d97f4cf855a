// Keys and thumbprints that the caller chose, the ones that the hub makes, and edge devices.
'use strict';
const { Registry } = require('azure-iothub');
const { id, outcome, serviceConnectionString } = require('../support');

const registry = Registry.fromConnectionString(serviceConnectionString);
const key = (byte) => Buffer.alloc(32, byte).toString('base64');

(async () => {
  await outcome('own keys', registry.create({ deviceId: id('own-keys'),
    authentication: { symmetricKey: { primaryKey: key(1), secondaryKey: key(2) } } }));
  await outcome('thumbprints', registry.create({ deviceId: id('prints'),
    authentication: { x509Thumbprint: { primaryThumbprint: 'A'.repeat(40), secondaryThumbprint: 'B'.repeat(40) } } }));
  await outcome('self-signed', registry.create({ deviceId: id('self'),
    authentication: { type: 'selfSigned', x509Thumbprint: { primaryThumbprint: 'C'.repeat(64) } } }));
  await outcome('authority', registry.create({ deviceId: id('ca'), authentication: { type: 'certificateAuthority' } }));
  await outcome('edge', registry.create({ deviceId: id('edge'), capabilities: { iotEdge: true } }));
  await outcome('unknown members', registry.create({ deviceId: id('more'), color: 'red' }));
})();
