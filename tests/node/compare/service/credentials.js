// Whom the hub believes: tokens of one's own, old ones, wrong keys.
'use strict';
const { Registry, SharedAccessSignature, ConnectionString } = require('azure-iothub');
const { say, id, outcome, host, serviceConnectionString } = require('../support');

const { SharedAccessKeyName: policy, SharedAccessKey: key } = ConnectionString.parse(serviceConnectionString);
const token = (expiry) => SharedAccessSignature.create(host, policy, key, expiry).toString();
const now = Math.floor(Date.now() / 1000);
const nobody = id('nobody');

(async () => {
  await outcome('good token', Registry.fromSharedAccessSignature(token(now + 600)).getTwin(nobody));
  await outcome('old token', Registry.fromSharedAccessSignature(token(now - 3600)).getTwin(nobody));
  const wrong = `HostName=${host};SharedAccessKeyName=${policy};SharedAccessKey=${Buffer.alloc(32, 9).toString('base64')}`;
  await outcome('wrong key', Registry.fromConnectionString(wrong).getTwin(nobody));
  const stranger = `HostName=${host};SharedAccessKeyName=stranger;SharedAccessKey=${key}`;
  await outcome('unknown policy', Registry.fromConnectionString(stranger).getTwin(nobody));
  let asked = 0;
  const registry = Registry.fromTokenCredential(host, { getToken: async (scope) => {
    asked += 1;
    say('scope', scope);
    return { token: 'not-a-token', expiresOnTimestamp: Date.now() + 3600_000 };
  } });
  await outcome('bearer', registry.getTwin(nobody));
  await outcome('bearer again', registry.getTwin(nobody));
  say('asked', asked);
  const failing = Registry.fromTokenCredential(host, { getToken: async () => { throw new RangeError('no token'); } });
  await outcome('failing credential', failing.getTwin(nobody));
})();
