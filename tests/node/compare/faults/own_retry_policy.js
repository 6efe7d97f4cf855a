// A retry policy of one's own decides whether and when: after some attempts, never, at once.
'use strict';
const { Client } = require('azure-iot-device');
const { say, hub, outcome, Transport } = require('../support');

/** Waits as `delays` say, and then gives up. */
const policy = (...delays) => ({
  shouldRetry: (error) => error.name === 'ServiceUnavailableError',
  nextRetryTimeout: (attempt) => delays[attempt - 1] ?? -1,
});

async function open(name, refusals, retries) {
  const client = Client.fromConnectionString(hub.device(name).connectionString, Transport);
  client.setRetryPolicy(retries);
  hub.refuseLogins(refusals, 'Unavailable');
  const begun = Date.now();
  await outcome(name, client.open());
  say(`${name} in time`, Date.now() - begun < 3000);
  await client.close();
}

(async () => {
  await open('never', 1, policy());
  await open('once', 1, policy(1));
  await open('enough', 2, policy(1, 1));
  await open('not for this', 0, { shouldRetry: () => false, nextRetryTimeout: () => 1 });
})();
