// Hubs that are not there.
'use strict';
const { Registry } = require('azure-iothub');
const { say, called } = require('../support');

const registry = (host) => Registry.fromConnectionString(`HostName=${host};SharedAccessKeyName=p;SharedAccessKey=aGk=`);

(async () => {
  for (const [name, host] of [['nobody listens', '127.0.0.99'], ['no such name', 'no-such-hub.invalid']]) {
    await called(name, (done) => registry(host).getTwin('d', (err, ...rest) => {
      say(`${name}: is`, err instanceof Error, rest.length);
      done(err.code);
    }));
  }
})();
