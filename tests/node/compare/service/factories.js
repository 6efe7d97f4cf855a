// How a registry is made, and how not.
'use strict';
const { Registry } = require('azure-iothub');
const { say, thrown, host } = require('../support');

const token = `SharedAccessSignature sr=${host}&sig=abc&skn=service&se=9999999999`;
const kind = (make) => () => { const registry = make(); return [registry.constructor.name, registry instanceof Registry]; };

for (const value of [undefined, null, '', 'nonsense', 'HostName=h', 'HostName=h;SharedAccessKeyName=p', 'HostName=h;SharedAccessKey=k',
  'HostName=h;SharedAccessKeyName=p;SharedAccessKey=', 'HostName=h;SharedAccessKeyName=p;SharedAccessKey=aGk=', 5, {}]) {
  thrown(`connection string ${JSON.stringify(value)}`, kind(() => Registry.fromConnectionString(value)));
}
for (const value of [undefined, '', 'nonsense', 'SharedAccessSignature sr=h&sig=s&se=1', token]) {
  thrown(`token ${JSON.stringify(value)}`.replace(host, 'h'), kind(() => Registry.fromSharedAccessSignature(value)));
}
const credential = { getToken: async () => ({ token: 't', expiresOnTimestamp: Date.now() + 1e7 }) };
thrown('credential', kind(() => Registry.fromTokenCredential('h', credential)));
thrown('no credential', kind(() => Registry.fromTokenCredential('h')));
thrown('no host', kind(() => Registry.fromTokenCredential(undefined, credential)));
for (const config of [undefined, null, {}, { host: 'h' }, { sharedAccessSignature: token }, { host: 'h', sharedAccessSignature: token },
  { host: 'h', sharedAccessSignature: token, tokenCredential: credential }]) {
  thrown(`config ${config && Object.keys(config)}`, kind(() => new Registry(config)));
}
say('methods', ['create', 'update', 'get', 'list', 'delete', 'addDevices', 'updateDevices', 'removeDevices', 'getTwin', 'updateTwin',
  'getModuleTwin', 'updateModuleTwin', 'createQuery', 'getRegistryStatistics', 'addModule', 'getModulesOnDevice', 'getModule',
  'updateModule', 'removeModule'].map((name) => [name, typeof Registry.prototype[name]]));
