// Ids that are not of the usual kind.
'use strict';
const { Registry } = require('azure-iothub');
const { say, id, outcome, serviceConnectionString } = require('../support');

const registry = Registry.fromConnectionString(serviceConnectionString);

(async () => {
  const deviceId = `${id('all')}-:.+%_#*?!(),:=@$'`;
  const { responseBody } = await registry.create({ deviceId });
  say('created', responseBody.deviceId === deviceId);
  await outcome('twin', registry.getTwin(deviceId).then(({ responseBody: twin }) => twin.deviceId === deviceId));
  await outcome('deleted', registry.delete(deviceId));
  await outcome('a number', registry.getTwin(5));
  await outcome('an object', registry.getTwin({}));
  await outcome('spaces', registry.getTwin('a b'));
  await outcome('a slash', registry.getTwin('a/b'));
  await outcome('umlauts', registry.getTwin('ä'));
})();
