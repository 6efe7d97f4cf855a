// A REST client of the caller's own: what it is asked, and what becomes of its answers.
'use strict';
const { Registry } = require('azure-iothub');
const { say, outcome, called } = require('../support');

const answers = [];
const client = {
  executeApiCall: (method, path, headers, body, done) => {
    say('asked', method, path, headers, body);
    const answer = answers.shift() ?? [null, { deviceId: 'd' }, { statusCode: 200, headers: {} }];
    setImmediate(() => done(...answer));
  },
  setOptions: (options) => say('options', Object.keys(options), Object.keys(options.http), options.http.agent.keepAlive),
};
const registry = new Registry({ host: 'h', sharedAccessSignature: 's' }, client);

(async () => {
  await outcome('create', registry.create({ deviceId: 'a/b' }));
  await outcome('create with thumbprint', registry.create({ deviceId: 'd', authentication: { x509Thumbprint: { primaryThumbprint: 'p' } } }));
  await outcome('update', registry.update({ deviceId: 'd', etag: 'e' }));
  await outcome('get', registry.get('d'));
  answers.push([null, [{ deviceId: 'd' }], { statusCode: 200, headers: {} }]);
  await outcome('list', registry.list());
  answers.push([null, undefined, { statusCode: 200, headers: {} }]);
  await outcome('list of nothing', registry.list());
  await outcome('delete', registry.delete('d'));
  await outcome('addDevices', registry.addDevices([{ deviceId: 'd', authentication: { symmetricKey: { primaryKey: 'k' } } }]));
  await outcome('updateDevices', registry.updateDevices([{ deviceId: 'd' }], false));
  await outcome('removeDevices', registry.removeDevices([{ deviceId: 'd' }], true));
  await outcome('statistics', registry.getRegistryStatistics());
  await outcome('getTwin', registry.getTwin('d d'));
  await outcome('updateTwin', registry.updateTwin('d', { tags: {} }, 'e'));
  await outcome('getModuleTwin', registry.getModuleTwin('d', 'm'));
  await outcome('updateModuleTwin', registry.updateModuleTwin('d', 'm', { tags: {} }, '"e"'));
  await outcome('addModule', registry.addModule({ deviceId: 'd', moduleId: 'm' }));
  await outcome('getModule', registry.getModule('d', 'm'));
  await outcome('getModulesOnDevice', registry.getModulesOnDevice('d'));
  await outcome('updateModule', registry.updateModule({ deviceId: 'd', moduleId: 'm', etag: 'e' }));
  await outcome('removeModule', registry.removeModule('d', 'm'));
  const query = registry.createQuery('SELECT * FROM devices', 10);
  answers.push([null, [{ deviceId: 'd' }], { statusCode: 200, headers: { 'x-ms-continuation': 'token' } }]);
  await called('page', (done) => query.next(done));
  await called('next page', (done) => query.next(done));
  answers.push([new RangeError('mine')]);
  await called('an error of its own', (done) => registry.getTwin('d', done));
})();
